"""The system under test: one trial from the input to a validated output, step by step."""
