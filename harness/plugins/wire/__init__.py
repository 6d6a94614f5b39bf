"""What providers and other clients share: HTTP, the vendors' formats, errors, parameters."""
