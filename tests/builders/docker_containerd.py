"""The root of a docker that keeps its images in containerd, as docker 29 lays it out."""

from pathlib import Path

from builders.containerd import ContainerdRoot, write
from builders.images import json_of
from builders.samples import APP, WEB

CID, FORGOTTEN, GRAPH = "c" * 64, "d" * 64, "e" * 64


def docker_root(folder: Path) -> ContainerdRoot:
    """A root of docker 29: an image with a name, one without, and two containers."""
    root = ContainerdRoot(folder / "containerd" / "daemon")
    root.add(APP, namespace="moby")
    dangling = root.contents.add_image(WEB)
    root.name(f"moby-dangling@{dangling['digest']}", dangling, "moby")
    root.unpack(APP, namespace="moby")
    top = f"moby/103/{APP.chain_ids[-1]}"
    for cid in (CID, FORGOTTEN):
        below = root.snapshot(f"{cid}-init", top, "moby", kind=3)
        root.snapshot(cid, below, "moby")
    # docker records every running container in containerd, with any storage driver
    root.container(CID, "", namespace="moby")
    root.container(GRAPH, "", namespace="moby", snapshotter="")
    root.meta[b"moby"][b"containers"][GRAPH.encode()][b"snapshotKey"] = b""
    config = {
        "ID": CID,
        "Name": "/quirky_name",
        "Driver": "overlayfs",
        "Image": "sha256:" + "9" * 64,
        "Config": {"Image": "app:1"},
        "State": {"Running": True},
    }
    write(folder / "containers" / CID / "config.v2.json", json_of(config))
    write(folder / "containers" / GRAPH / "config.v2.json", json_of(config | {"ID": GRAPH}))
    return root
