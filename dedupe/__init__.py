"""Storage analyst for container images: what is shared, shadowed and stored twice."""

__version__ = "0.1.0"
