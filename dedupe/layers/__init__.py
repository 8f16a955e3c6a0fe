"""Layers read to their end: decompressed, verified, and turned into rows."""
