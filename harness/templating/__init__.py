"""Prompt templates and expressions: a safe part of Jinja."""
