"""Renderings of a run, all from one view: terminal, HTML, Markdown, JUnit. None computes."""
