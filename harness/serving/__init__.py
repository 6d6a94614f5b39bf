"""A provider behind HTTP: OpenAI's chat protocol, on this machine only."""
