"""Readers of file formats that sources and layers share: tar, compression, JSON, safe opening."""
