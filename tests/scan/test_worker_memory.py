"""Workers that run out of memory: their layer is a problem, and the scan goes on."""

import os
import signal
from pathlib import Path

import pytest
from builders import Image, file, tar_of, write_oci_layout
from helpers.scanning import scanned

from dedupe.layers import reader

IMAGES = [Image([tar_of([file(name, b"x" * 10)])], names=[f"{name}:1"]) for name in ("a", "b")]


def killed(*_: object) -> None:
    """End this process as the system does when it has no memory left."""
    os.kill(os.getpid(), signal.SIGKILL)


def refused(*_: object) -> None:
    """Fail as Python does when it gets no memory."""
    raise MemoryError


@pytest.mark.parametrize(
    ("ending", "message"),
    [
        (killed, "was killed, as the system does when memory runs out"),
        (refused, "could not get the memory that it needs"),
    ],
)
def test_a_worker_without_memory_loses_its_layers_only(
    ending: object, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each layer has a problem that tells why; all images are listed as incomplete."""
    write_oci_layout(tmp_path / "store", IMAGES)
    # workers are forks of this process
    monkeypatch.setattr(reader, "read_layer", ending)
    outcome, session = scanned(tmp_path / "catalog", tmp_path / "store")
    failed = [row for row in outcome.problems if row.code == "worker-died"]
    assert len(failed) == 2
    assert all(message in row.message for row in failed)
    assert outcome.incomplete_images == 2
    assert session.rows("totals")[0]["images"] == 2
    session.close()
