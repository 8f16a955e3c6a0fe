"""Scans that run together or end early: catalogs are whole, and finished layers are kept."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from builders import (
    Image,
    file,
    tar_of,
    write_oci_layout,
)
from helpers.endless import PATIENCE_SECONDS, finished_layers, write_endless_layer
from helpers.scanning import scanned

SMALL = [
    Image([tar_of([file(f"f{number}", str(number) * 1000)])], names=[f"localhost/small:{number}"])
    for number in range(5)
]


def start(catalog: Path, *words: str) -> subprocess.Popen[str]:
    """Start a scan."""
    command = [sys.executable, "-m", "dedupe", "scan", "--catalog", str(catalog), *words]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def test_ctrl_c_ends_a_scan_and_keeps_finished_layers(tmp_path: Path) -> None:
    """Ctrl-C ends a scan in the middle of a layer at once; finished layers are kept."""
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


def test_workers_end_with_a_killed_scan(tmp_path: Path) -> None:
    """After SIGKILL no worker is left, neither one that reads nor one that waits."""
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
    # returns when the last process with this standard error has ended
    running.communicate(timeout=PATIENCE_SECONDS)
    assert running.returncode == -signal.SIGKILL


def test_two_scans_into_one_catalog_are_both_whole(tmp_path: Path) -> None:
    """Two processes scan stores with layers in common: both scans are as if made alone."""
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
