"""Hashing the layers of all sources; all parallelism lives here."""

from dedupe.scan.scanner import ScanOutcome, scan

__all__ = ["ScanOutcome", "scan"]
