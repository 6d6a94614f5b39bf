"""Built-in plugins and what they share. Each is found by name in `harness.registry`."""
