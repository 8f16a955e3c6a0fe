"""Where the stores of a host usually are."""

import os
from pathlib import Path

_SYSTEM = (
    "/var/lib/docker",
    "/var/lib/containers/storage",
    "/var/lib/containerd",
    "/var/lib/rancher/k3s/agent/containerd",
    "/var/lib/registry",
)
_OWN = ("containers/storage", "docker")


def usual_places() -> list[Path]:
    """Those that are there, whether or not this user may read them."""
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    places = [*(data / name for name in _OWN), *map(Path, _SYSTEM)]
    # unlike Path.is_dir, no error where a folder above is closed
    return [place for place in places if os.path.isdir(place)]  # noqa: PTH112
