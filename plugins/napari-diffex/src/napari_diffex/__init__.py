"""Runs of diffex in napari: a reader, and a dock widget that asks the running app for edits."""

__version__ = "0.1.0"
