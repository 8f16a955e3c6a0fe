"""Scans that meet or end early: the catalog stays whole, and what was read stays read."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from builders import (
    CONFIG,
    LAYER,
    MANIFEST,
    Contents,
    Image,
    file,
    json_of,
    tar_of,
    write_oci_layout,
)
from scanning import scanned

#: far more than any machine needs: a test that waits longer has failed
PATIENCE_SECONDS = 60
#: bytes of zeros that take every machine longer to hash than the test lasts
ENDLESS_BYTES = 64 << 30

SMALL = [
    Image([tar_of([file(f"f{number}", str(number) * 1000)])], names=[f"localhost/small:{number}"])
    for number in range(5)
]


def start(catalog: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "dedupe", "scan", "--catalog", str(catalog), *words]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def finished_layers(catalog: Path) -> int:
    return len(list((catalog / "layers").glob("[!.]*.parquet")))


def write_endless_layer(folder: Path) -> None:
    """A layout of one image whose layer is one file of zeros; on disk it is a hole."""
    contents = Contents()
    claimed = "sha256:" + "e" * 64
    image = Image([b""], names=["localhost/endless:1"], claimed_diff_ids=[claimed])
    header = tar_of([file("zeros", size=ENDLESS_BYTES)], trailer=0)
    size = len(header) + ENDLESS_BYTES
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": contents.add(image.config, CONFIG),
        "layers": [{"mediaType": LAYER, "digest": "sha256:" + "d" * 64, "size": size}],
    }
    contents.entries = [contents.add(json_of(manifest), MANIFEST)]
    for member in contents.members():
        (folder / member.path).parent.mkdir(parents=True, exist_ok=True)
        (folder / member.path).write_bytes(member.content)
    blob = folder / "blobs/sha256" / ("d" * 64)
    blob.write_bytes(header)
    os.truncate(blob, size)


def test_interrupt(tmp_path: Path) -> None:
    """Ctrl-C ends a scan at once, in the middle of a layer, and keeps the layers that are done."""
    write_endless_layer(tmp_path / "endless")
    write_oci_layout(tmp_path / "small", SMALL)
    catalog = tmp_path / "catalog"
    running = start(catalog, "--jobs", "2", str(tmp_path))
    try:
        give_up = time.monotonic() + PATIENCE_SECONDS
        while finished_layers(catalog) < len(SMALL):
            assert running.poll() is None
            assert time.monotonic() < give_up
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=PATIENCE_SECONDS)
    finally:
        running.kill()
        running.wait()
    assert running.returncode == 130
    assert said.splitlines()[-1].startswith("dedupe: interrupted")
    assert "Traceback" not in said
    assert finished_layers(catalog) == len(SMALL)
    assert list((catalog / "scans").glob("[!.]*")) == []
    outcome, session = scanned(catalog, tmp_path / "small")
    assert (outcome.layers_read, outcome.layers_reused) == (0, len(SMALL))
    assert session.rows("totals")[0]["layer_bytes"] == 5000


def test_workers_go_with_a_killed_scan(tmp_path: Path) -> None:
    """SIGKILL leaves no worker behind, neither one that reads nor one that waits for a task."""
    write_endless_layer(tmp_path / "endless")
    write_oci_layout(tmp_path / "small", SMALL)
    running = start(tmp_path / "catalog", "--jobs", "3", str(tmp_path))
    try:
        give_up = time.monotonic() + PATIENCE_SECONDS
        while finished_layers(tmp_path / "catalog") < len(SMALL):
            assert running.poll() is None
            assert time.monotonic() < give_up
            time.sleep(0.02)
    finally:
        running.kill()
    # ends when the last process that has standard error ends
    running.communicate(timeout=PATIENCE_SECONDS)
    assert running.returncode == -signal.SIGKILL


def test_two_scans_at_once(tmp_path: Path) -> None:
    """Two processes scan overlapping stores into one catalog: both are whole, as one by one."""
    shared = [tar_of([file(f"s{number}", os.urandom(400_000))]) for number in range(6)]
    stores = []
    for name in ("one", "two"):
        own = tar_of([file(name, name * 1000)])
        images = [
            Image([layer, own], names=[f"localhost/{name}:{number}"])
            for number, layer in enumerate(shared)
        ]
        write_oci_layout(tmp_path / name, images)
        stores.append(tmp_path / name)
    catalog = tmp_path / "catalog"
    running = [start(catalog, str(store)) for store in stores]
    for each in running:
        _, said = each.communicate(timeout=PATIENCE_SECONDS)
        assert each.returncode == 0, said
    assert finished_layers(catalog) == len(shared) + 2
    assert not list(catalog.rglob(".tmp-*"))
    listed = subprocess.run(
        [sys.executable, "-m", "dedupe", "catalog", "list", "-f", "json"],
        env={**os.environ, "DEDUPE_CATALOG": str(catalog)},
        check=True,
        capture_output=True,
    )
    assert len(json.loads(listed.stdout)) == 2
    outcome, together = scanned(catalog, *stores)
    assert outcome.layers_read == 0
    _, alone = scanned(tmp_path / "fresh", *stores)
    for query in ("totals", "images", "layers", "shadowed_files", "merged_view"):
        assert together.rows(query) == alone.rows(query), query
