"""Build steps: the order of equal steps, and what a rebuild in another order must check."""

from dataclasses import replace
from pathlib import Path

import pytest
from builders import Image, directory, file, image, tar_of
from helpers.scanning import scan_images

from dedupe.analysis.reorder.input import reorder_input
from dedupe.analysis.reorder.plans import ReorderOptions, StepPlan
from dedupe.analysis.reorder.steps import plan_steps
from dedupe.reorder.steps import StepKind, rebuild_check, step_of
from dedupe.store.session import Session

BASE = (directory("etc"), file("etc/os", b"o" * 500))


def step_orders(session: Session, options: ReorderOptions) -> StepPlan:
    """A plan of step orders."""
    return plan_steps(session, reorder_input(session, options))


def test_steps_at_two_positions_are_built_once(tmp_path: Path) -> None:
    """One step at two positions is built once, and a base that has it is named."""
    runtime = (file("usr/python", b"p" * 70_000), file("var/cache/apt/x", b"1" * 9_000))
    runtime_again = (file("usr/python", b"p" * 70_000, mtime=9), file("var/cache/apt/x", b"2"))
    packages = (file("lib/numpy", b"n" * 50_000), file("lib/a.pyc", b"1" * 400))
    packages_again = (file("lib/numpy", b"n" * 50_000), file("lib/a.pyc", b"2" * 400))
    app = [(file("srv/app", str(number)),) for number in range(3)]
    base, add, install = "ADD rootfs /", "COPY app /srv", "RUN pip install numpy"
    apt = "RUN apt-get install python3"
    images = [
        image(BASE, names="r/base:1", history=[base]),
        image(BASE, runtime, names="r/python:3", history=[base, apt]),
        image(BASE, runtime, packages, app[0], names="r/one:1", history=[base, apt, install, add]),
        image(
            *(BASE, runtime, app[1], packages_again),
            names="r/two:1",
            history=[base, apt, add, install],
        ),
        image(BASE, app[2], runtime_again, names="r/ml:1", history=[base, add, apt]),
    ]
    session = scan_images(tmp_path, images)
    found = step_orders(session, ReorderOptions())
    assert {each.name: each.order for each in found.proposals} in (
        {"r/two:1": (0, 1, 3, 2), "r/ml:1": (0, 2, 1)},
    )
    saves = {each.name: each.saves_bytes for each in found.proposals}
    assert saves == {"r/two:1": 50_400, "r/ml:1": 70_001}
    # the larger run keeps its order
    assert found.today_bytes - found.proposed_bytes == 50_400 + 70_001
    assert found.reproducible_bytes == found.today_bytes
    assert set(found.classes.values()) == {"overlap"}
    rows = {row["image"]: row for row in found.repeats}
    assert set(rows) == {"r/ml:1"}
    assert rows["r/ml:1"]["base"] == "r/python:3"
    assert (rows["r/ml:1"]["saves_bytes"], rows["r/ml:1"]["in_the_way"]) == (70_001, 0)


@pytest.mark.parametrize(
    ("text", "kind", "line"),
    [
        ("/bin/sh -c #(nop) COPY file:ab in /etc/x ", StepKind.COPY, "COPY file:ab /etc/x"),
        ("/bin/sh -c #(nop) ADD dir:ab in / ", StepKind.COPY, "ADD dir:ab /"),
        ("COPY a /srv/app # buildkit", StepKind.COPY, "COPY a /srv/app"),
        ("RUN /bin/sh -c make all # buildkit", StepKind.RUN, "RUN make all"),
        ("RUN |1 V=3 /bin/sh -c make # buildkit", StepKind.RUN, "RUN make"),
        ("|2 A=1 B=2 /bin/sh -c make", StepKind.RUN, "RUN make"),
        ("/bin/sh -c make", StepKind.RUN, "RUN make"),
        ("/bin/bash -o pipefail -c make", StepKind.RUN, "RUN make"),
        ("bazel build //:app", StepKind.UNKNOWN, "# bazel build //:app"),
        ("", StepKind.UNKNOWN, "# step not known"),
        (None, StepKind.UNKNOWN, "# step not known"),
    ],
)
def test_steps_of_every_builder_are_read(text: str | None, kind: StepKind, line: str) -> None:
    """History of docker, buildkit and podman becomes lines of a build file."""
    step = step_of(text)
    assert (step.kind, step.line) == (kind, line)


@pytest.mark.parametrize(
    ("lower", "upper", "reason"),
    [
        ("COPY a /a", "COPY b /b", None),
        ("COPY --chown=1000:1000 a /a", "ADD b /b", None),
        ("COPY --chown=app a /a", "COPY b /b", "an owner is given by name"),
        ("COPY req.txt /srv/req.txt", "RUN /bin/sh -c pip install -r /srv/req.txt", "/srv/req.txt"),
        ("RUN /bin/sh -c make -C /code", "COPY x /code", "names /code"),
        ("COPY x /code", "RUN /bin/sh -c true", "can read the files"),
        ("RUN /bin/sh -c apt-get update", "RUN /bin/sh -c apt-get install x", "both use apt"),
        ("RUN /bin/sh -c a", "RUN /bin/sh -c b", "each RUN can read"),
        ("COPY a /a", None, "does not say"),
    ],
)
def test_a_swap_of_run_steps_must_be_checked(
    lower: str, upper: str | None, reason: str | None
) -> None:
    """Only files from outside are free to move; a RUN may read what it finds."""
    said = rebuild_check(step_of(lower), step_of(upper))
    assert said is None if reason is None else reason in (said or "")


def test_layers_of_one_class_say_how_they_differ(tmp_path: Path) -> None:
    """In their encoding, in times, or in content: the reason is the furthest of these."""
    first, second, third = ((file(name, name * 900), file(f"{name}2")) for name in "abc")
    almost = (file("c", "c" * 900), file("c2", "x"))
    images = [
        Image([tar_of(first)], names=["r/encoding:1"]),
        Image([tar_of(first, pad=10_240)], names=["r/encoding:2"]),
        Image([tar_of(second)], names=["r/times:1"]),
        Image([tar_of(second, pad=10_240)], names=["r/times:2"]),
        Image([tar_of([replace(it, mtime=9) for it in second])], names=["r/times:3"]),
        Image([tar_of(third)], names=["r/overlap:1"]),
        Image([tar_of([replace(it, mtime=9) for it in third])], names=["r/overlap:2"]),
        Image([tar_of(almost)], names=["r/overlap:3"]),
        image((file("alone", "1"),), names="r/alone:1"),
    ]
    session = scan_images(tmp_path, images)
    rows = session.ask(
        "SELECT image.name, layer_class.class, layer_class.reason"
        " FROM layer_class JOIN stack USING (layer) JOIN image USING (image_id)"
    ).rows
    reasons = {name: reason for name, _, reason in rows}
    assert reasons.pop("r/alone:1") is None
    assert {
        name: reason for name, reason in reasons.items() if name.split("/")[1][:-2] != reason
    } == {
        "r/times:1": "timestamps",
        "r/times:2": "timestamps",
        "r/times:3": "timestamps",
    }
    # each series is one class, and no two series are the same
    assert len({key for _, key, _ in rows}) == 4
