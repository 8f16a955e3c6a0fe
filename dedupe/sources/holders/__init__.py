"""Holders of files: a folder, an archive, an object store."""
