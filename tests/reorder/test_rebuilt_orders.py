"""Images in the planned orders are built by buildah, to check the plan's figures."""

import os
import random
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from helpers.scanning import codes, scanned

from dedupe.reorder.stack import Order, Stack, stack_of, unpacked_bytes
from dedupe.reorder.storage import storage_orders
from dedupe.store.session import Session

SOURCES = {"model": "/opt/model", "lib": "/opt/lib", "conf": "/etc/tool.conf", "rules": "/srv"}
#: images of the same reproducible steps in other orders
STEPS = {
    "tool:a": ("model", "lib", "conf a"),
    "tool:b": ("conf b", "lib", "model"),
    "tool:c": ("lib", "rules", "model"),
}


class Builder:
    """Buildah with a store of its own, over one base."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # vfs works on every file system, also on an overlay
        roots = ["--root", f"{folder}/root", "--runroot", f"{folder}/run"]
        self._command = ["buildah", *roots, "--storage-driver", "vfs"]
        chance = random.Random(7)
        for name, files, size in (("model", 8, 50_000), ("lib", 40, 2_000), ("rules", 5, 900)):
            (folder / name).mkdir(parents=True)
            for number in range(files):
                (folder / name / f"part{number:02}").write_bytes(chance.randbytes(size))
        for name in "ab":
            (folder / f"conf {name}").write_text(f"tool {name}\n")
        (folder / "base").mkdir()
        (folder / "base/etc").mkdir()
        (folder / "base/opt").mkdir()
        (folder / "base/etc/release").write_bytes(b"r" * 10_000)
        self.build("base:1", "scratch", ["COPY base /"])

    def build(self, name: str, base: str, steps: Sequence[str]) -> None:
        """Build an image of steps that give the same layers whenever they run."""
        text = "\n".join([f"FROM {base}", *steps])
        (self.folder / "Dockerfile").write_text(text)
        options = ["--layers", "--timestamp", "1700000000", "--format", "oci", "--pull-never"]
        self.run("bud", *options, "-t", f"localhost/{name}", str(self.folder))

    def run(self, *words: str) -> None:
        """One command of buildah."""
        done = subprocess.run(
            [*self._command, *words],
            check=False,
            capture_output=True,
            text=True,
            env=os.environ | {"BUILDAH_ISOLATION": "chroot"},
        )
        assert done.returncode == 0, done.stderr

    def scan(self, catalog: Path, layout: Path, names: Sequence[str]) -> Session:
        """The images copied into a layout, and that scanned."""
        for name in names:
            self.run("push", f"localhost/{name}", f"oci:{layout}:localhost/{name}")
        outcome, session = scanned(catalog, layout)
        assert codes(outcome) == []
        return session


@pytest.fixture
def builder(tmp_path: Path) -> Builder:
    """A buildah of its own with a base image."""
    if shutil.which("buildah") is None or os.geteuid() != 0:
        pytest.skip("buildah is not installed, or not for root")
    return Builder(tmp_path / "build")


def copies(step: str) -> str:
    """The COPY of a step."""
    return f'COPY ["{step}", "{SOURCES[step.split()[0]]}"]'


def problem(session: Session) -> tuple[list[str], list[Stack], list[int]]:
    """Names, stacks and sizes from the catalog, with the pairs that must keep their order."""
    pairs = set(
        session.ask("SELECT lower_layer, upper_layer FROM conflict WHERE grade = 'equivalent'").rows
    )
    sizes = dict(session.ask("SELECT layer, content_bytes FROM layers").rows)
    numbers = {layer: number for number, layer in enumerate(sorted(sizes))}
    built = session.ask(
        "SELECT names[1], list(layer ORDER BY position) FROM image JOIN stack USING (image_id)"
        " GROUP BY names ORDER BY names"
    ).rows
    stacks = [
        stack_of(
            [numbers[layer] for layer in layers],
            [
                (low, high)
                for high, upper in enumerate(layers)
                for low, lower in enumerate(layers[:high])
                # FROM is always the first step
                if low == 0 or (lower, upper) in pairs
            ],
        )
        for _, layers in built
    ]
    return [name for name, _ in built], stacks, [sizes[layer] for layer in sorted(sizes)]


@pytest.mark.slow
@pytest.mark.tools
def test_the_planned_bytes_are_those_of_the_built_images(builder: Builder, tmp_path: Path) -> None:
    """Today's bytes and the plan's are those of the images that buildah builds."""
    base = "localhost/base:1"
    for name, steps in STEPS.items():
        builder.build(name, base, [copies(step) for step in steps])
    session = builder.scan(tmp_path / "today", tmp_path / "before", list(STEPS))
    names, stacks, sizes = problem(session)
    assert names == [f"localhost/{name}" for name in STEPS]
    (today,) = session.rows("totals")
    as_is: list[Order] = [stack.today for stack in stacks]
    assert unpacked_bytes(stacks, as_is, sizes) == today["unpacked_bytes"]
    # equal steps gave equal layers on different parents
    assert today["position_loss_bytes"] == 2 * 400_000 + 2 * 80_000

    orders = storage_orders(stacks, sizes)
    planned = unpacked_bytes(stacks, orders, sizes)
    assert planned == today["layer_bytes"]

    for (name, steps), order in zip(STEPS.items(), orders, strict=True):
        assert order[0] == 0
        builder.build(f"new-{name}", base, [copies(steps[position - 1]) for position in order[1:]])
    new = [f"new-{name}" for name in STEPS]
    (built,) = builder.scan(tmp_path / "planned", tmp_path / "after", new).rows("totals")
    assert built["unpacked_bytes"] == planned
    assert built["layer_bytes"] == today["layer_bytes"]
    assert built["position_loss_bytes"] == 0
    # the merged views have as many bytes as before
    assert built["live_bytes"] == today["live_bytes"]
