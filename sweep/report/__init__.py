"""One self-contained page of a store: conclusions in words, then figures, then where it all comes from."""

from sweep.report.page import report_html, write_report

__all__ = ["report_html", "write_report"]
