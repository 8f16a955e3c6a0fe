"""docker roots whose user and group IDs are shifted by a user namespace.

Such a root is a folder ``<uid>.<gid>`` in docker's root, named after the first IDs on the host.
"""

import re
from pathlib import Path

from dedupe.errors import SourceError
from dedupe.model.images import IdRange
from dedupe.sources.holders.folder import FolderHolder

_REMAPPED = re.compile(r"([0-9]{1,10})\.([0-9]{1,10})\Z")
_MAX_IDS = 1 << 32


def remapped_roots(holder: FolderHolder) -> list[str]:
    """Names of the remapped roots in a docker root; none if it cannot be read."""
    try:
        return [name for name in holder.store.list_folder(()) if _REMAPPED.match(name)]
    except SourceError:
        return []


def id_ranges(root: Path) -> tuple[IdRange, IdRange] | None:
    """User and group IDs of a remapped root; None for any other root.

    The name of the folder has the first IDs; the last ones are not stored.
    """
    # the user may have named the folder through a link
    remapped = _REMAPPED.match(root.resolve().name)
    if remapped is None:
        return None
    uid, gid = int(remapped[1]), int(remapped[2])
    return IdRange(0, uid, _MAX_IDS - uid), IdRange(0, gid, _MAX_IDS - gid)
