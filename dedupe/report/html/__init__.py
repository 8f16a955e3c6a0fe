"""The report as one HTML file that opens from disk and loads nothing.

The page is complete without JavaScript. Its one script sorts and searches tables and zooms into the
treemap. A Content-Security-Policy allows that script and that style by their hashes, and nothing
else.
"""

from dedupe.report.html.render import to_html

__all__ = ["to_html"]
