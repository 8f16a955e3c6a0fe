"""Every measure again in plain Python, for comparison with SQL.

``stacks`` merges the layers of one image; ``stores`` counts bytes that images share; ``orders``
says which layers may change places.
"""

from oracle.stacks import Inode, Seen, Shadowed, Stack, ancestors, container, stack
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
    "Seen",
    "Shadowed",
    "Stack",
    "Store",
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
]
