"""Paths in one image: what a container sees at a path, and which layer provides it."""
