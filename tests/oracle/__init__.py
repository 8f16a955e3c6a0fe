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
    Store,
    attributed,
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
    "ShadowedFile",
    "Stack",
    "Store",
    "ViewEntry",
    "ancestors",
    "attributed",
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
