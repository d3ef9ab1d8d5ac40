"""Looking: a run folder as one HTML file that needs no network, and can be read without its script."""

from diffex.report.rendering import render_report, report_many

__all__ = ["render_report", "report_many"]
