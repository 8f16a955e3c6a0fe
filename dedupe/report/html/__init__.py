"""The report as one HTML file that opens from disk and loads nothing.

The page is whole without JavaScript. Its one script sorts, searches and goes into the treemap; a
Content-Security-Policy allows that script and that style by their hashes and nothing else.
"""

from dedupe.report.html.page import render

__all__ = ["render"]
