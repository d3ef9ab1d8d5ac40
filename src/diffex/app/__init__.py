"""The local web app: one page that reads a run folder, and one worker that renders edits for it."""

from diffex.app.serving import serve

__all__ = ["serve"]
