"""Reading texts: JSON, numbers, patterns, YAML."""
