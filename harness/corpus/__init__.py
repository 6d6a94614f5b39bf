"""Documents of every kind, cut into chunks."""
