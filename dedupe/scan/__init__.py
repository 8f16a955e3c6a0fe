"""Scans: which layers must be read, reading them in parallel, and the result for each image."""

from dedupe.scan.scanner import scan_sources

__all__ = ["scan_sources"]
