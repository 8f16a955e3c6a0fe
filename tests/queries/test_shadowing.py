"""Live and shadowed bytes in SQL: given cases, an oracle, and images that others made."""

import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import oracle
import pytest
from builders import (
    Image,
    Member,
    compress,
    directory,
    file,
    hardlink,
    members_of_case,
    opaque,
    symlink,
    tar_of,
    whiteout,
    write_bare_tar,
    write_oci_layout,
)
from helpers.examples import examples
from helpers.scanning import Apart, scan_apart, scanned
from helpers.strategies import stacks, stores
from here import CASES
from hypothesis import HealthCheck, given, settings

from dedupe.store.session import Session

STACKS = json.loads((CASES / "stacks.json").read_text())
STORES = json.loads((CASES / "stores.json").read_text())
FIELDS = ("path", "size_bytes", "cause", "added_position", "hidden_position")


def scan_stack(folder: Path, layers: list[bytes]) -> Session:
    """Scan an image of these layers."""
    write_oci_layout(folder / "store", [Image(layers, names=["i"])], "none")
    return scanned(folder / "catalog", folder / "store")[1]


def shadowed(session: Session | Apart, *, of: str | None = None) -> list[tuple]:
    """Rows of shadowed files, of all images or of the one of this name."""
    return sorted(
        tuple(row[field] for field in FIELDS)
        for row in session.rows("shadowed_files")
        if of in (None, row["image"])
    )


@pytest.fixture(scope="module")
def given_stacks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apart]:
    """The images of all given stacks."""
    stacks = {case["name"]: [members_of_case(layer) for layer in case["layers"]] for case in STACKS}
    assert len(stacks) == len(STACKS)
    scanned_apart = scan_apart(tmp_path_factory.mktemp("stacks"), stacks)
    names = {name for image in scanned_apart.images.values() for name in image.names}
    assert {row["image"] for row in scanned_apart.rows("shadowed_files")} <= names
    yield scanned_apart
    scanned_apart.session.close()


@pytest.mark.parametrize("case", STACKS, ids=[case["name"] for case in STACKS])
def test_sql_gives_the_figures_of_the_stacks(case: dict, given_stacks: Apart) -> None:
    """Every figure of the given stacks is the answer of SQL."""
    wanted = given_stacks.images[case["name"]]
    (image,) = [row for row in given_stacks.rows("images") if row["image_id"] == wanted.image_id]
    for field in ("content_bytes", "live_bytes", "shadowed_bytes"):
        assert image[field] == case["expect"][field], field
    assert shadowed(given_stacks, of=wanted.names[0]) == sorted(
        tuple(row[field] for field in FIELDS) for row in case["expect"]["shadowed"]
    )
    view = [
        row["path"]
        for row in given_stacks.rows("merged_view")
        if row["image_id"] == wanted.image_id
    ]
    assert view == case["expect"]["merged"]


@pytest.mark.parametrize("case", STORES["stores"], ids=[s["name"] for s in STORES["stores"]])
def test_sql_gives_the_figures_of_the_stores(case: dict, tmp_path: Path) -> None:
    """Totals, exclusive and attributed bytes of the given stores are the answers of SQL."""
    layers = {name: tar_of(members_of_case(rows)) for name, rows in STORES["layers"].items()}
    images = [
        Image([layers[name] for name in stack], names=[f"{image}:1"])
        for image, stack in case["images"].items()
    ]
    write_oci_layout(tmp_path / "store", images, "gzip")
    session = scanned(tmp_path / "catalog", tmp_path / "store")[1]
    (totals,) = session.rows("totals")
    for field, value in case["expect"]["totals"].items():
        assert totals[field] == value, field
    rows = {row["name"].removesuffix(":1"): row for row in session.rows("images")}
    for name, expected in case["expect"]["images"].items():
        assert rows[name]["live_bytes"] == expected["live_bytes"]
        assert rows[name]["shadowed_bytes"] == expected["shadowed_bytes"]
        for granularity in ("unpacked", "content"):
            assert rows[name][f"exclusive_{granularity}"] == expected["exclusive"][granularity]
            exact = expected["attributed_exact"][granularity]
            assert rows[name][f"attributed_{granularity}"] == int(exact)


@settings(max_examples=examples(40), deadline=None, suppress_health_check=list(HealthCheck))
@given(stack=stacks())
def test_random_stacks_are_the_oracles(stack: list) -> None:
    """Live bytes, every shadowed file, its cause and its layers are the oracle's."""
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


def test_a_hard_link_to_a_folder_dangles(tmp_path: Path) -> None:
    """A folder has no second name: the link shows nothing and is reported."""
    session = scan_stack(tmp_path, [tar_of([directory("d"), hardlink("again", "d")])])
    assert [row["path"] for row in session.rows("merged_view")] == ["d"]
    (problem,) = session.rows("problems")
    assert (problem["code"], problem["severity"]) == ("dangling-hard-link", "note")


def test_a_hard_link_to_a_dangling_one_dangles(tmp_path: Path) -> None:
    """Its target is a member of its own layer, not the lower file at that path."""
    upper = [hardlink("a", "nowhere"), hardlink("b", "a")]
    base = [file("a", b"1" * 10)]
    assert oracle.stack([base, upper]).merged == ()
    session = scan_stack(tmp_path, [tar_of(base), tar_of(upper)])
    assert session.rows("merged_view") == []
    assert shadowed(session) == [("a", 10, "replaced", 0, 1)]


@settings(max_examples=examples(25), deadline=None, suppress_health_check=list(HealthCheck))
@given(store=stores())
def test_random_stores_are_the_oracles(store) -> None:
    """Totals and shares of random stores are the oracle's, and the columns add up."""
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
def test_the_image_of_dive_has_its_five_shadowed_files(
    fixtures_folder: Path, tmp_path: Path
) -> None:
    """The five shadowed files of dive's own test image are found one by one."""
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
def test_images_of_others_have_their_shadowed_bytes(
    name: str, fixtures_folder: Path, tmp_path: Path
) -> None:
    """Four of eight bytes are shadowed, by an overwrite and by a whiteout."""
    session = scanned(tmp_path, fixtures_folder / "docker-archive" / f"{name}.tar")[1]
    (image,) = session.rows("images")
    assert (image["content_bytes"], image["live_bytes"], image["shadowed_bytes"]) == (8, 4, 4)


def test_compressions_give_one_layer(tmp_path: Path) -> None:
    """The same layer under five compressions is one layer with five blobs."""
    tar = tar_of([file("a", b"x" * 1000)])
    for how in ("none", "gzip", "zstd", "xz", "bzip2"):
        assert how == "none" or compress(tar, how) != tar
        write_bare_tar(tmp_path / f"{how}.tar", tar, how)
    session = scanned(tmp_path / "catalog", *sorted(tmp_path.glob("*.tar")))[1]
    (layer,) = session.rows("layers")
    (totals,) = session.rows("totals")
    assert layer["content_bytes"] == 1000
    assert totals["images"] == 1


def one_image(folder: Path, *layers: Sequence[Member]) -> tuple[dict, list[tuple]]:
    """The figures of an image of these layers, and its shadowed files."""
    session = scan_stack(folder, [tar_of(layer) for layer in layers])
    (image,) = session.rows("images")
    return image, shadowed(session)


def test_all_below_a_deleted_directory_is_shadowed(tmp_path: Path) -> None:
    """Entries below a directory that a whiteout deletes are shadowed, at any depth."""
    base = [file("d/a", b"1" * 10), file("d/e/f/b", b"2" * 20), file("da", b"3" * 40)]
    image, rows = one_image(tmp_path, base, [whiteout("d")])
    assert rows == [("d/a", 10, "deleted", 0, 1), ("d/e/f/b", 20, "deleted", 0, 1)]
    assert (image["live_bytes"], image["shadowed_bytes"], image["deleted"]) == (40, 30, 30)


def test_an_opaque_mark_hides_lower_layers_only(tmp_path: Path) -> None:
    """An opaque mark hides what lower layers have below it, and nothing of its own layer."""
    base = [file("d/a", b"1" * 10), file("d/e/b", b"2" * 20), file("c", b"3" * 40)]
    upper = [directory("d"), file("d/new", b"4" * 80), opaque("d")]
    image, rows = one_image(tmp_path, base, upper)
    assert rows == [("d/a", 10, "opaque", 0, 1), ("d/e/b", 20, "opaque", 0, 1)]
    assert (image["live_bytes"], image["shadowed_bytes"], image["opaque"]) == (120, 30, 30)


def test_a_whiteout_of_nothing_hides_nothing(tmp_path: Path) -> None:
    """A whiteout of what never was, or of what is already deleted, hides nothing."""
    image, rows = one_image(
        tmp_path,
        [file("a", b"1" * 10), file("b", b"2" * 20)],
        [whiteout("a"), whiteout("never")],
        [whiteout("a"), whiteout("never/was")],
    )
    assert rows == [("a", 10, "deleted", 0, 1)]
    assert (image["live_bytes"], image["shadowed_bytes"]) == (20, 10)


def test_a_copy_with_another_mode_shadows_the_lower_one(tmp_path: Path) -> None:
    """Of two copies that differ only in mode, one is live."""
    image, rows = one_image(
        tmp_path, [file("a", b"1" * 10, mode=0o644)], [file("a", b"1" * 10, mode=0o755)]
    )
    assert rows == [("a", 10, "metadata_only", 0, 1)]
    assert (image["content_bytes"], image["live_bytes"], image["metadata_only"]) == (20, 10, 10)
    (row,) = Session(tmp_path / "catalog").rows("shadowed_files")
    assert row["changed_fields"] == ["mode"]


def test_a_hard_link_shadows_as_the_file_that_it_is_a_name_of(tmp_path: Path) -> None:
    """The file below is compared with the content that the link's target has."""
    lower = [file("a", b"1" * 10), file("b", b"2" * 20), file("c", b"3" * 40)]
    upper = [
        file("target", b"1" * 10, mode=0o600),
        hardlink("a", "target"),
        hardlink("b", "target"),
        symlink("to", "target"),
        hardlink("c", "to"),
    ]
    _, hidden = one_image(tmp_path, lower, upper)
    assert [(row[0], row[2]) for row in hidden] == [
        ("a", "metadata_only"),
        ("b", "modified"),
        ("c", "replaced"),
    ]


def test_equal_contents_at_two_paths_are_both_live(tmp_path: Path) -> None:
    """Equal contents at two paths are duplicates, and nothing is shadowed."""
    image, rows = one_image(tmp_path, [file("a", b"1" * 10)], [file("b", b"1" * 10)])
    assert rows == []
    assert (image["content_bytes"], image["live_bytes"], image["efficiency"]) == (20, 20, 1.0)
    (totals,) = Session(tmp_path / "catalog").rows("totals")
    assert (totals["unique_content_bytes"], totals["duplicate_content_bytes"]) == (10, 10)


def test_each_version_but_the_last_is_shadowed(tmp_path: Path) -> None:
    """Each version of a file is shadowed by the next; the last is live."""
    versions = [[file("log", str(number) * 10 * 2**number)] for number in range(4)]
    image, rows = one_image(tmp_path, *versions)
    assert rows == [
        ("log", 10, "modified", 0, 1),
        ("log", 20, "modified", 1, 2),
        ("log", 40, "modified", 2, 3),
    ]
    assert (image["live_bytes"], image["shadowed_bytes"]) == (80, 70)


def test_many_files_under_many_whiteouts(tmp_path: Path) -> None:
    """50,000 files in 1,000 directories, each deleted by its own whiteout, are all shadowed."""
    base = [
        file(f"d{number % 1000}/f{number}", str(number % 10) * (number % 10))
        for number in range(50_000)
    ]
    kept = [file("kept", b"1" * 7)]
    gone = [whiteout(f"d{number}") for number in range(1000)]
    session = scan_stack(tmp_path, [tar_of([*base, *kept]), tar_of(gone)])
    (image,) = session.rows("images")
    # 5,000 files each of 0 to 9 bytes
    assert (image["content_bytes"], image["deleted"]) == (225_007, 225_000)
    assert image["live_bytes"] == 7
    assert len(session.rows("shadowed_files")) == 50_000
