"""Readers of file formats: tar, compressed streams, bbolt, JSON documents, TOML settings."""
