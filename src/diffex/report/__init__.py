"""Looking: a run folder as one HTML file that needs no network and no script."""

from diffex.report.rendering import render_report, report_many

__all__ = ["render_report", "report_many"]
