"""Finished values as text; the only place where bytes become ``1.2 GB``."""
