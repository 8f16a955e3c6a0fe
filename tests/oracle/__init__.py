"""The measures in plain Python, to compare with the answers of SQL.

``stacks`` merges the layers of one image, ``stores`` counts bytes that images share, and
``orders`` finds layers that may swap.
"""

from oracle.stacks import (
    Inode,
    ShadowedFile,
    Stack,
    ViewEntry,
    ancestors,
    container,
    stack,
    written,
)
from oracle.stores import (
    GRANULARITIES,
    Recorded,
    Store,
    attributed,
    cache_images,
    dead_bytes,
    exclusive,
    layer_bytes,
    partition,
    rounded,
    total,
    totals,
    units,
)

__all__ = [
    "GRANULARITIES",
    "Inode",
    "Recorded",
    "ShadowedFile",
    "Stack",
    "Store",
    "ViewEntry",
    "ancestors",
    "attributed",
    "cache_images",
    "container",
    "dead_bytes",
    "exclusive",
    "layer_bytes",
    "partition",
    "rounded",
    "stack",
    "total",
    "totals",
    "units",
    "written",
]
