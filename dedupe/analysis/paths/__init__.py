"""Paths in one image: what a container sees there, and which layer it is from."""
