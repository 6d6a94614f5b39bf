"""Renderings of a run: terminal, HTML, Markdown and JUnit, all from one view. They compute nothing."""
