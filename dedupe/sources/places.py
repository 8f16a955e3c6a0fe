"""Default folders of stores."""

import os
from pathlib import Path

_SYSTEM = (
    "/var/lib/docker",
    "/var/lib/containers/storage",
    "/var/lib/containerd",
    "/var/lib/rancher/k3s/agent/containerd",
    "/var/lib/registry",
)
_IN_HOME = ("containers/storage", "docker")


def usual_places() -> list[Path]:
    """Default folders that exist, whether or not this user may read them."""
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    places = [*(data / name for name in _IN_HOME), *map(Path, _SYSTEM)]
    return [place for place in places if os.path.isdir(place)]  # noqa: PTH112  # Path.is_dir raises if it may not look
