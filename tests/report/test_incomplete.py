"""Every form begins with what could not be read, and shows none of it as 0 bytes or 100 %.

The store has four images on one base layer, and one image of its own. In the first damage the blob
of the base is missing, in the second every blob of a layer is damaged, in the third the manifest of
one image is.
"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from builders import Contents, Image, directory, file, tar_of, whiteout, write_oci_layout
from click.testing import Result
from helpers.reports import FORMS, Reports
from helpers.scanning import scan_only, scanned
from typer.testing import CliRunner

from dedupe.analysis import queries
from dedupe.cli.app import app
from dedupe.report.forms import FORMS as REGISTRY
from dedupe.report.forms import Form, ReportInput
from dedupe.store.session import Session

BASE = tar_of([directory("etc"), file("etc/a", b"1" * 4000), file("etc/b", b"9" * 1000)])
WEB = [
    Image(
        [
            BASE,
            tar_of([file(f"app/x{number}", bytes([65 + number]) * 2000), whiteout("etc/a")]),
            tar_of([file(f"app/x{number}", bytes([75 + number]) * 50)]),
        ],
        names=[f"reg.example/web:{number}"],
    )
    for number in range(4)
]
FINE = Image(
    [tar_of([file("ok", b"k" * 700)]), tar_of([file("ok", b"z" * 600)])],
    names=["reg.example/fine:1"],
)
#: the figures of FINE, which no damage of another image changes
FINE_FIGURES = (True, 0, 1300, 1300, 600, 700, 600 / 1300)


def blob(store: Path, digest: str) -> Path:
    return store / "blobs/sha256" / digest.removeprefix("sha256:")


def flip(path: Path) -> None:
    """Change one bit in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def without_base(store: Path, made: Contents) -> None:
    blob(store, made.layers[WEB[0].image_id][0]).unlink()


def all_damaged(store: Path, made: Contents) -> None:
    for digest in {each for layers in made.layers.values() for each in layers}:
        flip(blob(store, digest))


def bad_manifest(store: Path, made: Contents) -> None:
    flip(blob(store, made.manifests[WEB[0].image_id]))


DAMAGES = {each.__name__: each for each in (without_base, all_damaged, bad_manifest)}


def made_store(store: Path, damage: Callable[[Path, Contents], None]) -> None:
    damage(store, write_oci_layout(store, [*WEB, FINE]))


@pytest.fixture(scope="module")
def catalogs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A catalog of each damaged store."""
    folder = tmp_path_factory.mktemp("incomplete")
    for name, damage in DAMAGES.items():
        made_store(folder / name / "store", damage)
        scan_only(folder / name / "catalog", folder / name / "store")
    return {name: folder / name / "catalog" for name in DAMAGES}


@pytest.fixture(scope="module")
def forms(catalogs: dict[str, Path]) -> dict[str, Reports]:
    """Every form of the report on each damaged store."""
    found = {}
    for name, catalog in catalogs.items():
        given = ReportInput(Session(catalog))
        found[name] = {form: REGISTRY[Form(form)].write(given) for form in FORMS}
    return found


def run(catalog: Path, *words: str) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(app, [*words, "--catalog", str(catalog)])


def test_figures_of_an_incomplete_image_are_unknown(catalogs: dict[str, Path]) -> None:
    """Only what was read is given, as a lower bound; other images keep their figures."""
    rows = {row["name"]: row for row in Session(catalogs["without_base"]).rows("images")}
    columns = ("complete", "unread_layers", "read_bytes", "content_bytes", "live_bytes")
    columns += ("shadowed_bytes", "efficiency")
    for image in WEB:
        row = rows[image.names[0]]
        assert [row[name] for name in columns] == [False, 1, 2050, None, None, None, None]
        # all layers that only this image has were read, so what deleting it frees is known
        assert (row["exclusive_unpacked"], row["attributed_unpacked"]) == (2050, None)
        assert {row[cause] for cause in ("modified", "deleted", "opaque", "replaced")} == {None}
        assert row["exclusive_content"] is row["attributed_content"] is None
    fine = rows[FINE.names[0]]
    assert tuple(fine[name] for name in columns) == FINE_FIGURES
    assert (fine["exclusive_unpacked"], fine["attributed_unpacked"]) == (1300, 1300)
    # a layer that could not be read may have the same contents
    assert fine["exclusive_content"] is None


def test_totals_are_lower_bounds(catalogs: dict[str, Path]) -> None:
    """Live, shadowed and efficiency are those of complete images; nothing is dead by guess."""
    (row,) = Session(catalogs["without_base"]).rows("totals")
    assert (row["images"], row["incomplete_images"]) == (5, 4)
    assert row["unpacked_bytes"] == row["layer_bytes"] == row["naive_bytes"] == 4 * 2050 + 1300
    assert (row["live_bytes"], row["shadowed_bytes"]) == (600, 700)
    assert row["efficiency"] == 600 / 1300
    # x0 to x3 of the images without their base are shadowed for all that is known
    assert row["dead_bytes"] == 700
    (row,) = Session(catalogs["all_damaged"]).rows("totals")
    assert (row["images"], row["incomplete_images"], row["layers"]) == (5, 5, 0)
    assert row["live_bytes"] is row["shadowed_bytes"] is row["efficiency"] is None


@pytest.mark.parametrize("name", DAMAGES)
def test_what_could_not_be_read_is_said_before_any_figure(
    name: str, forms: dict[str, Reports]
) -> None:
    """Every form begins with it, or has it where programs look."""
    found = forms[name]
    document = json.loads(found["json"])
    (sentence,) = document["incomplete"]["sentences"]
    wanted = {
        "without_base": "4 of 5 images are incomplete: 4 with a missing blob; ",
        "all_damaged": "5 of 5 images are incomplete: 5 with a damaged blob; ",
        "bad_manifest": ": not all references could be read, so images may be missing here, ",
    }[name]
    assert wanted in sentence
    assert document["incomplete"]["is_partial"]
    assert list(document)[:3] == ["schema_version", "scan", "incomplete"]
    assert found["terminal"].startswith(f"INCOMPLETE: {sentence}.")
    assert found["markdown"].splitlines()[2] == f"> **Incomplete:** `{sentence}`"
    page = found["html"]
    assert page.index(f"<bdi>{sentence}.</bdi>") < page.index("<header")
    (run_of,) = json.loads(found["sarif"])["runs"]
    assert run_of["properties"]["incomplete"] == [sentence]
    assert not run_of["invocations"][0]["executionSuccessful"]
    notes = run_of["invocations"][0]["toolExecutionNotifications"]
    assert notes[0]["descriptor"]["id"] == "incomplete"


def test_a_store_of_which_nothing_could_be_read_has_no_good_news(
    forms: dict[str, Reports], catalogs: dict[str, Path]
) -> None:
    """Nothing shows 100 %, and no image shows 0 bytes."""
    found = forms["all_damaged"]
    for form in ("terminal", "markdown", "html"):
        assert "100.0 %" not in found[form]
        assert "Nothing to fix was found in what could be read" in found[form]
    assert "efficiency unknown" in found["terminal"]
    for image in json.loads(found["json"])["images"]:
        assert image["efficiency"] is image["content_bytes"] is None
        assert set(image["shadowed"].values()) == {None}
    metrics = found["openmetrics"]
    assert "dedupe_incomplete_images 5\n" in metrics
    assert 'dedupe_incomplete_images_by_problem{code="gzip-damaged"} 5\n' in metrics
    for absent in ("dedupe_efficiency", "dedupe_live_bytes", "dedupe_shadowed_bytes"):
        assert f"\n{absent} " not in metrics
    assert "incomplete,gzip-damaged,gzip-damaged,images,5" in found["csv"]
    catalog = catalogs["all_damaged"]
    for command in (["images"], ["usage"], ["usage", "--by", "image"]):
        lines = run(catalog, *command).stdout.splitlines()
        assert lines[0].startswith("INCOMPLETE: 5 of 5 images are incomplete")
        for line in lines:
            if "reg.example" in line:
                assert "(incomplete)" in line
                assert " 0 B" not in line
                assert "unknown" in line


TABLES = (
    *("images", "layers", "tree", "usage", "sources", "findings", "duplicates", "positions"),
    *("bases", "twins", "shadowed"),
)


@pytest.mark.parametrize("command", TABLES)
def test_every_table_begins_with_what_could_not_be_read(
    command: str, catalogs: dict[str, Path]
) -> None:
    """As text it is the first line; with other formats it is on standard error."""
    text = run(catalogs["without_base"], command)
    assert text.stdout.startswith("INCOMPLETE: 4 of 5 images are incomplete: 4 with a missing blob")
    rows = run(catalogs["without_base"], command, "-f", "json")
    assert "INCOMPLETE" not in rows.stdout
    assert "dedupe: incomplete: 4 of 5 images are incomplete" in rows.stderr


@pytest.mark.parametrize(
    "command", [["ls"], ["find", "*"], ["which", "/app"], ["history"]], ids=lambda each: each[0]
)
def test_a_look_into_an_incomplete_image_says_so(
    command: list[str], catalogs: dict[str, Path]
) -> None:
    """Only for that image: another one of the store is shown without a remark."""
    name, *more = command
    catalog = catalogs["without_base"]
    text = run(catalog, name, WEB[1].names[0], *more).stdout
    assert text.startswith("INCOMPLETE: 1 layer could not be read (a missing blob)")
    if name != "which":
        assert "INCOMPLETE" not in run(catalog, name, FINE.names[0], *more).stdout


def test_history_gives_only_what_no_unread_layer_can_change(catalogs: dict[str, Path]) -> None:
    """An upper layer may hide more of a lower one, and a lower one may have more to hide."""
    (one,) = [
        row["image_id"]
        for row in Session(catalogs["without_base"]).rows("images")
        if row["name"] == WEB[1].names[0]
    ]
    rows = Session(catalogs["without_base"]).rows(queries.paths_history(about=(one,)))
    columns = ("added_bytes", "shadowed_bytes", "live_bytes", "hides_bytes")
    assert [tuple(row[name] for name in columns) for row in rows] == [
        (None, None, None, None),
        (2000, 2000, 0, None),
        (50, 0, 50, None),
    ]


def test_usage_adds_up_without_figures_of_nothing(catalogs: dict[str, Path]) -> None:
    """Rows of images of which nothing was read have no bytes, and are counted as incomplete."""
    asked = queries.usage_groups(by="image", globs=[], granularity="unpacked")
    rows = Session(catalogs["without_base"]).rows(asked)
    assert sum(row["attributed_unpacked"] or 0 for row in rows) == 4 * 2050 + 1300
    assert sum(row["exclusive_unpacked"] or 0 for row in rows) == 4 * 2050 + 1300
    marks = {row["name"]: row["incomplete_images"] for row in rows if row["kind"] == "group"}
    assert marks == {image.names[0]: 1 for image in WEB} | {FINE.names[0]: 0}
    rows = Session(catalogs["all_damaged"]).rows(asked)
    assert {row["attributed_unpacked"] for row in rows if row["kind"] == "group"} == {None}


def test_what_deleting_frees_is_a_lower_bound(catalogs: dict[str, Path]) -> None:
    """Of a layer that could not be read, only the size of its blob is known."""
    columns = ("freed_bytes", "unknown_units", "total_unknown_units")
    catalog = catalogs["all_damaged"]
    found = json.loads(run(catalog, "what-if", "--delete", "*web:1", "-f", "json").stdout)
    assert found["incomplete"][0].startswith("5 of 5 images are incomplete")
    freed = found["freed"]["unpacked"]
    assert (freed["freed_bytes"], freed["unknown_units"], freed["total_unknown_units"]) == (
        0,
        2,
        11,
    )
    assert found["freed"]["content"]["freed_bytes"] is None
    assert found["freed"]["compressed"]["freed_bytes"] > 0
    assert [image["exclusive_bytes"] for image in found["images"]] == [None]
    text = run(catalog, "what-if", "--delete", "*web:1").stdout
    assert text.startswith("INCOMPLETE: 5 of 5 images")
    assert "unknown  of unknown unpacked" in text
    assert "2 layers of it could not be read and are not counted" in text
    # the base that could not be read stays, so this is exact
    found = json.loads(
        run(catalogs["without_base"], "what-if", "--delete", "*web:1", "-f", "json").stdout
    )
    freed = found["freed"]["unpacked"]
    assert [freed[name] for name in columns] == [2050, 0, 1]


def test_images_of_which_one_is_incomplete_cannot_be_compared(catalogs: dict[str, Path]) -> None:
    """How many paths differ is unknown; what is to be pulled is known from the blobs."""
    catalog = catalogs["without_base"]
    names = (WEB[0].names[0], FINE.names[0])
    found = json.loads(run(catalog, "diff", *names, "--summary", "-f", "json").stdout)["summary"]
    assert not found["complete"]
    assert found["added"] is found["removed_bytes"] is found["shared_layer_bytes"] is None
    assert found["pull_compressed_bytes"] > 0
    assert run(catalog, "diff", *names).stdout.startswith("INCOMPLETE: ")


def base_damaged(store: Path, made: Contents) -> None:
    flip(blob(store, made.layers[WEB[0].image_id][0]))


@pytest.mark.parametrize("damage", [without_base, base_damaged])
def test_one_blob_is_one_problem_with_its_images(
    damage: Callable[[Path, Contents], None], tmp_path: Path
) -> None:
    """Whether it is missing before any layer is read, or found damaged while it is."""
    store = tmp_path / "store"
    made_store(store, damage)
    outcome, session = scanned(tmp_path / "c", store)
    (problem,) = outcome.problems
    assert problem.images == tuple(image.names[0] for image in WEB)
    assert problem.subject == problem.blob
    assert (outcome.errors, outcome.incomplete_images) == (1, 4)
    (row,) = [row for row in session.rows("problems") if row["severity"] == "error"]
    assert row["images"] == list(problem.images)
    text = run(tmp_path / "again", "scan", "-q", str(store))
    named = "(concerns 4 images: " + ", ".join(image.names[0] for image in WEB) + ")"
    assert text.stderr.count("dedupe: error: ") == text.stderr.count(named) == 1
    assert "dedupe: 4 of 5 images are incomplete" in text.stderr
