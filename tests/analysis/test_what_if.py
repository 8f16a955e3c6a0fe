"""What deleting images frees: judged by two full scans, all subsets, and a tool that deletes."""

import itertools
import json
import shutil
import subprocess
import tempfile
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
from builders import file, image, write_docker_archive, write_oci_layout
from helpers.commands import run
from helpers.examples import examples
from helpers.scanning import scan_images, scanned
from helpers.strategies import images_of, named_stores
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle import GRANULARITIES

from dedupe.analysis.freeing import by_age, by_gain, freed
from dedupe.analysis.removal import removals
from dedupe.analysis.what_if import DeletionFilter, Target, what_if
from dedupe.errors import StoreError, UsageError
from dedupe.model.amounts import moment, size_bytes
from dedupe.model.choices import DeletionOrder, Granularity
from dedupe.store.session import Session

NOW = datetime(2026, 1, 1)
TOTALS = {
    "compressed": "compressed_bytes",
    "unpacked": "unpacked_bytes",
    "content": "unique_content_bytes",
}


@settings(max_examples=examples(25), deadline=None, suppress_health_check=list(HealthCheck))
@given(drawn=named_stores(), data=st.data())
def test_freed_is_the_difference_of_two_scans(drawn: tuple, data: st.DataObject) -> None:
    """Freed bytes are the difference of scans with and without the images, per granularity."""
    store, _ = drawn
    # without a name, an image that is the base of another would be a cache image
    images = images_of(store, {name: [f"x/{name}:1"] for name in store.images})
    gone = data.draw(st.sets(st.sampled_from(sorted(images))))
    with tempfile.TemporaryDirectory() as folder:
        before = scan_images(Path(folder) / "all", images.values())
        rest = [image for name, image in images.items() if name not in gone]
        after = scan_images(Path(folder) / "rest", rest) if rest else None
        rows = before.rows("what_if/freed", images=[images[name].image_id for name in gone])
        whole = before.rows("totals")[0]
        left = after.rows("totals")[0] if after else dict.fromkeys(whole, 0)
    found = {row["granularity"]: row for row in rows}
    for granularity in GRANULARITIES:
        row = found[granularity]
        assert row["freed_bytes"] == whole[TOTALS[granularity]] - left[TOTALS[granularity]]
        assert row["total_bytes"] == row["freed_bytes"] + row["remaining_bytes"]


sets_of_images = st.frozensets(st.sampled_from("abcdef"), min_size=1, max_size=4)
unit_maps = st.dictionaries(sets_of_images, st.integers(1, 40), max_size=8)


@settings(max_examples=300, deadline=None)
@given(units=unit_maps, target=st.integers(0, 200))
def test_chosen_images_free_enough_and_none_is_superfluous(units: dict, target: int) -> None:
    """Either order frees enough, or all that can be freed; without any image it would not."""
    wanted = min(target, sum(units.values()))
    for found in (by_gain(units, target), by_age(units, "abcdef", target)):
        assert found.freed_bytes == freed(units, found.images) >= wanted
        assert found.most_bytes == sum(units.values())
        for each in found.images:
            assert freed(units, set(found.images) - {each}) < wanted


@settings(max_examples=100, deadline=None)
@given(weights=st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 40)), data=st.data())
def test_without_sharing_no_smaller_set_frees_enough(weights: dict, data: st.DataObject) -> None:
    """If images share nothing exclusive to a few, the chosen set is the smallest."""
    units = {frozenset(name): size for name, size in weights.items()}
    target = data.draw(st.integers(0, sum(weights.values())))
    found = by_gain(units, target)
    for count in range(len(found.images)):
        for images in itertools.combinations(weights, count):
            assert freed(units, images) < target


def test_images_of_one_large_layer_are_chosen_together() -> None:
    """Two images of one large layer free it together, though each frees nothing alone."""
    units = {frozenset("ab"): 100, frozenset("c"): 10, frozenset("d"): 9}
    assert sorted(by_gain(units, 90).images) == ["a", "b"]


def test_the_oldest_images_are_chosen_first() -> None:
    """By age, younger images stay although they would free more."""
    units = {frozenset("a"): 1, frozenset("b"): 2, frozenset("c"): 100}
    assert by_age(units, "abc", 3).images == ("a", "b")
    # an image that frees enough alone makes the older ones superfluous
    assert by_age(units, "abc", 50).images == ("c",)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A base, two tags on it, one with a second name, and dates of every kind."""
    base, app = [file("base", b"b" * 1000)], [file("app", b"a" * 100)]
    images = [
        image(base, names=["r/base:1"], created="2020-01-01T00:00:00Z"),
        image(base, app, names=["r/app:1", "prod/app:live"], created="1970-01-01T00:00:00Z"),
        image(base, [file("x", b"x" * 10)], names=["r/app:2"], created="2025-12-31T00:00:00Z"),
        image([file("y", b"y" * 20)], names=["r/other:1"], created="2030-01-01T00:00:00Z"),
    ]
    write_oci_layout(tmp_path / "store", images)
    scanned(tmp_path / "catalog", tmp_path / "store")
    return tmp_path


def names_of(rows: list[dict]) -> list[str]:
    """Names of the rows, sorted."""
    return sorted(row["name"] for row in rows)


def test_dates_that_cannot_be_true_are_left_out(store: Path) -> None:
    """Epoch and future dates are listed apart, and chosen only if asked for."""
    session = Session(store / "catalog")
    old = DeletionFilter(older_than=moment("90d", NOW))
    found = what_if(session, old, NOW)
    assert names_of(found.images) == ["r/base:1"]
    assert {row["name"]: row["doubt"] for row in found.doubtful} == {
        "prod/app:live": "before 2013",
        "r/other:1": "future",
    }
    found = what_if(session, replace(old, any_date=True), NOW)
    assert names_of(found.images) == ["prod/app:live", "r/base:1", "r/other:1"]
    with pytest.raises(StoreError, match="2 have no trustworthy date"):
        what_if(session, DeletionFilter(older_than=datetime(2014, 1, 1)), NOW)


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2024-01-02T03:04:05Z", datetime(2024, 1, 2, 3, 4, 5)),
        ("2024-01-02T03:04:05.123456789+05:30", datetime(2024, 1, 1, 21, 34, 5)),
        ("2024-01-02T03:04:05-02:00", datetime(2024, 1, 2, 5, 4, 5)),
        ("0001-01-01T00:00:00+14:00", None),
        ("2024-13-02T03:04:05Z", None),
        ("infinity", None),
        ("", None),
    ],
)
def test_dates_are_read_with_their_time_zones(
    text: str, utc: datetime | None, tmp_path: Path
) -> None:
    """Time zones count; a date that does not exist, or not for images, is null."""
    session = scan_images(tmp_path, [image([file("a", b"1")], names=["a"], created=text)])
    (row,) = session.rows("what_if/dates", now=NOW)
    assert row["time"] == utc
    assert (row["doubt"] is None) == (utc is not None)


def test_layers_that_stay_name_the_images_that_keep_them(store: Path) -> None:
    """A layer that other images also have stays, and names those images."""
    session = Session(store / "catalog")
    found = what_if(session, DeletionFilter(delete=["r/app:*"]), NOW)
    stays = [row for row in found.layers if not row["freed"]]
    assert [(row["content_bytes"], row["kept_by"]) for row in stays] == [(1000, ["r/base:1"])]
    assert sorted(row["content_bytes"] for row in found.layers if row["freed"]) == [10, 100]
    (live,) = (row for row in found.images if row["name"] == "prod/app:live")
    assert live["names"] == ["prod/app:live", "r/app:1"]
    assert names_of(what_if(session, DeletionFilter(keep=["r/app:2", "r/base:1"]), NOW).images) == [
        "prod/app:live",
        "r/other:1",
    ]


def test_images_with_containers_are_not_freed(store: Path) -> None:
    """An image with a container is listed, frees nothing, and is never chosen by --free."""
    (folder,) = (store / "catalog/scans").iterdir()
    session = Session(store / "catalog")
    ids = {row["names"][0]: row["image_id"] for row in session.rows("image_names")}
    path = folder / "containers.parquet"
    (source,) = session.rows("sources")
    row = {
        "scan": folder.name,
        "source": source["location"],
        "container_id": "c" * 64,
        "name": "web",
        "running": True,
    }
    row |= {"image_id": ids["r/other:1"], "image": "r/other:1"}
    schema = pl.read_parquet_schema(path)
    pl.DataFrame([row], schema=schema).write_parquet(path)
    session = Session(store / "catalog")
    found = what_if(session, DeletionFilter(delete=["r/other:1", "r/app:2"]), NOW)
    assert [row["name"] for row in found.containers] == ["web"]
    freed_now = {row["granularity"]: row["freed_bytes"] for row in found.freed_now}
    assert freed_now["unpacked"] == 10
    found = what_if(session, DeletionFilter(target=Target(15, DeletionOrder.GAIN)), NOW)
    assert "r/other:1" not in names_of(found.images)
    assert found.target_result
    assert found.target_result.enough


def test_free_takes_no_more_than_needed(store: Path) -> None:
    """One image is chosen if it is enough; a target out of reach is reported."""
    session = Session(store / "catalog")
    unpacked = Target(100, granularity=Granularity.UNPACKED)
    found = what_if(session, DeletionFilter(target=unpacked), NOW)
    assert names_of(found.images) == ["prod/app:live"]
    wanted = replace(unpacked, wanted_bytes=5000)
    found = what_if(session, DeletionFilter(delete=["r/app:*"], target=wanted), NOW)
    assert found.target_result
    assert (found.target_result.freed_bytes, found.target_result.enough) == (110, False)


@pytest.mark.tools
@pytest.mark.skipif(shutil.which("umoci") is None, reason="umoci is not installed")
def test_the_printed_commands_free_the_stated_bytes(store: Path) -> None:
    """The printed commands, run by umoci, free the bytes that were stated."""
    session = Session(store / "catalog")
    before = session.rows("totals")[0]["compressed_bytes"]
    found = what_if(session, DeletionFilter(delete=["r/app:*"]), NOW)
    for step in found.removals:
        subprocess.run(["sh", "-c", step.shell], check=True)
    after = scanned(store / "catalog", store / "store")[1].rows("totals")[0]
    (freed_blobs,) = (r["freed_bytes"] for r in found.freed if r["granularity"] == "compressed")
    assert before - after["compressed_bytes"] == freed_blobs > 0
    assert after["orphan_bytes"] == 0


def place(kind: str, **more: object) -> dict:
    """A row of the question which places hold an image."""
    row = {"source": "/a b", "kind": kind, "image_id": "sha256:ff", "names": ["r/x:1"]}
    row |= {"digests": ["sha256:00"], "store_ids": [], "namespaced": [], "driver": None}
    return row | {"depth": 0, "goes_along": False, "others": []} | more


@pytest.mark.parametrize(
    ("row", "shell"),
    [
        (place("containers-storage"), "podman --root '/a b' rmi -- r/x:1"),
        (place("docker", names=["a", "-f"]), "docker rmi -- a -f"),
        (place("docker", names=[]), "docker rmi -- ff"),
        (place("docker", names=[], store_ids=["sha256:1", "sha256:2"]), "docker rmi -- 1 2"),
        (
            place("containers-storage", driver="vfs"),
            "podman --root '/a b' --storage-driver vfs rmi -- r/x:1",
        ),
        (
            place("containerd", namespaced=["k8s.io/r/x:1", "k8s.io/sha256:ff"]),
            "ctr --namespace k8s.io images rm --sync -- r/x:1 sha256:ff",
        ),
        (place("containerd"), ""),
        (place("registry"), "skopeo delete docker://REGISTRY/r/x@sha256:00"),
        (place("oci-layout", names=["$(x);'"]), "umoci rm --image '/a b:$(x);'\"'\"''"),
        (place("docker-archive"), "rm -- '/a b'"),
        (place("oci-archive", others=["y"]), ""),
        (place("dir"), "rm -r -- '/a b'"),
        (place("docker", names=["a\\x0arm"]), ""),
    ],
)
def test_each_kind_of_store_has_its_own_command(row: dict, shell: str) -> None:
    """Each kind of store has its tool, with every word quoted; otherwise there is a note."""
    step = removals([row])[0]
    assert step.shell == shell
    assert step.command or step.note


@pytest.mark.parametrize(
    ("text", "size"), [("50GB", 50 * 10**9), ("1.5 GiB", 3 * 2**29), ("1000", 1000), ("2k", 2000)]
)
def test_sizes_are_powers_of_1000_or_1024(text: str, size: int) -> None:
    """A unit is a power of 1000, or of 1024 with an i; without one it is bytes."""
    assert size_bytes(text) == size


@pytest.mark.parametrize("text", ["", "GB", "-1", "1 XB", "1e9", "1i"])
def test_a_bad_size_or_date_is_a_usage_error(text: str) -> None:
    """Text that is neither a size nor a date is a usage error for both."""
    for read in (size_bytes, lambda text: moment(text, NOW)):
        with pytest.raises(UsageError):
            read(text)


def test_the_command_deletes_nothing_and_says_so(store: Path) -> None:
    """Text states that nothing was deleted; JSON has its keys and errors their exit codes."""
    catalog = store / "catalog"
    done = run(catalog, "what-if", "--delete", "r/app:*")
    assert (done.returncode, done.stderr) == (0, "")
    assert "also named r/app:1" in done.stdout
    assert "Nothing was deleted" in done.stdout
    (store / "list").write_text("# old\nr/app:2\n\n")
    done = run(catalog, "what-if", "--from-file", str(store / "list"), "-f", "json")
    answer = json.loads(done.stdout)
    assert answer["schema_version"] == 1
    assert [row["name"] for row in answer["images"]] == ["r/app:2"]
    assert answer["freed"]["unpacked"]["freed_bytes"] == 10
    done = run(catalog, "what-if", "--free", "50GB", "--order", "oldest", "-f", "json")
    assert json.loads(done.stdout)["target"]["reached"] is False
    assert run(catalog, "what-if").returncode == 2
    assert run(catalog, "what-if", "--free", "much").returncode == 2
    done = run(catalog, "what-if", "--delete", "r/app:3")
    assert done.returncode == 5
    assert "closest" in done.stderr


def test_an_archive_is_deleted_with_its_last_image(tmp_path: Path) -> None:
    """An archive is deleted if all its images are; otherwise it has to be saved again."""
    images = [image([file(name, name)], names=[f"x/{name}:1"]) for name in "ab"]
    write_docker_archive(tmp_path / "one.tar", images[:1])
    write_docker_archive(tmp_path / "two.tar", images)
    session = scanned(tmp_path / "catalog", tmp_path / "one.tar", tmp_path / "two.tar")[1]
    one, two = what_if(session, DeletionFilter(delete=["x/a:1"]), NOW).removals
    assert one.command == ("rm", "--", str(tmp_path / "one.tar"))
    assert "x/b:1" in two.note


def test_csv_and_parquet_hold_one_table(store: Path) -> None:
    """CSV and Parquet hold one table of the answer, with the same rows as JSON."""
    asked = ("what-if", "--delete", "r/app:*")
    document = json.loads(run(store / "catalog", *asked, "-f", "json").stdout)
    for rows in ("images", "disk", "held", "layers", "containers"):
        out = store / f"{rows}.parquet"
        done = run(store / "catalog", *asked, "-f", "parquet", "--rows", rows, "-o", str(out))
        assert (done.returncode, done.stderr) == (0, "")
        assert pl.read_parquet(out).to_dicts() == document[rows]
        text = run(store / "catalog", *asked, "-f", "csv", "--rows", rows).stdout
        assert text.count("\n") == 1 + len(document[rows])
    freed = run(store / "catalog", *asked, "-f", "csv", "--rows", "freed").stdout
    assert [line.partition(",")[0] for line in freed.splitlines()] == [
        "granularity",
        "compressed",
        "content",
        "disk",
        "unpacked",
    ]


def test_explain_names_every_query_and_its_images(store: Path) -> None:
    """--explain names each query that was asked, with the images that it was asked about."""
    session = Session(store / "catalog")
    shown = run(store / "catalog", "what-if", "--free", "1kB", "--explain").stdout
    found = what_if(session, DeletionFilter(target=Target(1000)), NOW)
    heads = [line for line in shown.splitlines() if line.startswith("-- queries/")]
    assert heads == [f"-- queries/{question.name}.sql" for question in found.questions.values()]
    assert "-- queries/what_if/units.sql" in heads
    chosen = [row["image_id"] for row in found.images]
    assert f"-- $images = {sorted(chosen)!r}" in shown
