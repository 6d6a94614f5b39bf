"""Built-in scorers, one module each. They share `harness.plugins.base` and know no other scorer."""
