"""Live and shadowed bytes in SQL: the given cases, an oracle, and images that others made."""

import json
import tempfile
from pathlib import Path

import oracle
import pytest
from builders import Image, compress, members_of_case, tar_of, write_oci_layout
from hypothesis import HealthCheck, given, settings
from scanning import scanned
from strategies import stacks, stores

from dedupe.store.session import Session

CASES = Path(__file__).parent / "cases"
STACKS = json.loads((CASES / "stacks.json").read_text())
STORES = json.loads((CASES / "stores.json").read_text())
FIELDS = ("path", "size_bytes", "cause", "added_position", "hidden_position")


def scan_stack(folder: Path, layers: list[bytes]) -> Session:
    write_oci_layout(folder / "store", [Image(layers, names=["i"])], "none")
    return scanned(folder / "catalog", folder / "store")[1]


def shadowed(session: Session) -> list[tuple]:
    return sorted(tuple(row[field] for field in FIELDS) for row in session.rows("shadowed_files"))


@pytest.mark.parametrize("case", STACKS, ids=[case["name"] for case in STACKS])
def test_given_stacks(case: dict, tmp_path: Path) -> None:
    """Every figure of the given stacks comes out of SQL."""
    layers = [tar_of(members_of_case(layer)) for layer in case["layers"]]
    session = scan_stack(tmp_path, layers)
    (image,) = session.rows("images")
    for field in ("content_bytes", "live_bytes", "shadowed_bytes"):
        assert image[field] == case["expect"][field], field
    assert shadowed(session) == sorted(
        tuple(row[field] for field in FIELDS) for row in case["expect"]["shadowed"]
    )
    assert [row["path"] for row in session.rows("merged_view")] == case["expect"]["merged"]


@pytest.mark.parametrize("case", STORES["stores"], ids=[s["name"] for s in STORES["stores"]])
def test_given_stores(case: dict, tmp_path: Path) -> None:
    """Totals, exclusive and attributed bytes of the given stores come out of SQL."""
    layers = {name: tar_of(members_of_case(rows)) for name, rows in STORES["layers"].items()}
    images = [
        Image([layers[name] for name in stack], names=[image])
        for image, stack in case["images"].items()
    ]
    write_oci_layout(tmp_path / "store", images, "gzip")
    session = scanned(tmp_path / "catalog", tmp_path / "store")[1]
    (totals,) = session.rows("totals")
    for field, value in case["expect"]["totals"].items():
        assert totals[field] == value, field
    rows = {row["name"]: row for row in session.rows("images")}
    for name, expected in case["expect"]["images"].items():
        assert rows[name]["live_bytes"] == expected["live_bytes"]
        assert rows[name]["shadowed_bytes"] == expected["shadowed_bytes"]
        for granularity in ("unpacked", "content"):
            assert rows[name][f"exclusive_{granularity}"] == expected["exclusive"][granularity]
            exact = expected["attributed_exact"][granularity]
            assert rows[name][f"attributed_{granularity}"] == int(exact)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(stack=stacks())
def test_random_stacks(stack: list) -> None:
    """SQL and the oracle agree on live bytes, every shadowed file, its cause and its layers."""
    truth = oracle.stack(stack)
    with tempfile.TemporaryDirectory() as folder:
        session = scan_stack(Path(folder), [tar_of(layer) for layer in stack])
        (image,) = session.rows("images")
        assert image["content_bytes"] == truth.content_bytes
        assert image["live_bytes"] == truth.live_bytes
        found = sorted(
            (*(row[field] for field in FIELDS), list(row["changed_fields"]))
            for row in session.rows("shadowed_files")
        )
        expected = sorted(
            (*(getattr(row, field) for field in FIELDS), list(row.changed_fields))
            for row in truth.shadowed
        )
        assert found == expected
        assert [row["path"] for row in session.rows("merged_view")] == list(truth.merged)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(store=stores())
def test_random_stores(store) -> None:
    """Totals and shares of random stores agree with the oracle, and the columns add up."""
    names = {name: tar_of(members) for name, members in store.layers.items()}
    images = [
        # two images of one config would be one image with two names
        Image([names[layer] for layer in stack], names=[image], settings={"Hostname": image})
        for image, stack in store.images.items()
    ]
    truth = oracle.totals(store.layers, store.images)
    with tempfile.TemporaryDirectory() as folder:
        write_oci_layout(Path(folder) / "store", images, "none")
        session = scanned(Path(folder) / "catalog", Path(folder) / "store")[1]
        (totals,) = session.rows("totals")
        rows = session.rows("images")
    compared = set(truth) & set(totals) - {"images", "orphan_bytes"}
    assert {"dead_bytes", "unpacked_bytes", "position_loss_bytes"} <= compared
    assert {field: totals[field] for field in compared} == {
        field: truth[field] for field in compared
    }
    assert sum(row["attributed_unpacked"] for row in rows) == totals["unpacked_bytes"]
    assert sum(row["attributed_content"] for row in rows) == totals["unique_content_bytes"]
    assert sum(row["attributed_compressed"] for row in rows) == totals["compressed_bytes"]


@pytest.mark.external
def test_image_of_dive(fixtures_folder: Path, tmp_path: Path) -> None:
    """Dive's own test image: its five shadowed files, one by one, not only their sum."""
    path = fixtures_folder / "docker-archive" / "dive-test-docker-image.tar"
    session = scanned(tmp_path, path)[1]
    (image,) = session.rows("images")
    (totals,) = session.rows("totals")
    assert (image["layers"], image["content_bytes"]) == (14, 1_220_598)
    assert (image["live_bytes"], image["shadowed_bytes"]) == (1_188_573, 32_025)
    assert totals["unique_content_bytes"] == 1_162_953
    found = {
        (Path(row["path"]).name, row["cause"], row["added_position"], row["hidden_position"])
        for row in session.rows("shadowed_files")
        if row["size_bytes"]
    }
    assert found == {
        ("somefile1.txt", "metadata_only", 3, 4),
        ("somefile1.txt", "deleted", 4, 9),
        ("somefile3.txt", "deleted", 6, 7),
        ("somefile2.txt", "deleted", 5, 9),
        ("saved.txt", "metadata_only", 7, 13),
    }


@pytest.mark.external
@pytest.mark.parametrize("name", ["overwritten_file", "whiteout_image"])
def test_images_of_others(name: str, fixtures_folder: Path, tmp_path: Path) -> None:
    """Four of eight bytes are shadowed, by an overwrite and by a whiteout."""
    session = scanned(tmp_path, fixtures_folder / "docker-archive" / f"{name}.tar")[1]
    (image,) = session.rows("images")
    assert (image["content_bytes"], image["live_bytes"], image["shadowed_bytes"]) == (8, 4, 4)


def test_compressions_give_one_layer(tmp_path: Path) -> None:
    """The same layer under five compressions is one layer with five blobs."""
    from builders import file, write_bare_tar

    tar = tar_of([file("a", b"x" * 1000)])
    for how in ("none", "gzip", "zstd", "xz", "bzip2"):
        assert how == "none" or compress(tar, how) != tar
        write_bare_tar(tmp_path / f"{how}.tar", tar, how)
    session = scanned(tmp_path / "catalog", *sorted(tmp_path.glob("*.tar")))[1]
    (layer,) = session.rows("layers")
    (totals,) = session.rows("totals")
    assert layer["content_bytes"] == 1000
    assert totals["images"] == 1
