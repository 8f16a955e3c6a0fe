"""The gate: its figures, its limits, its words, and what it exits with."""

import json
import re
import tempfile
import tomllib
from collections import Counter
from pathlib import Path

import oracle
import pytest
from accounting import images_of, named_stores, scan_store
from builders import Image, file, image, raw, tar_of, whiteout, write_oci_layout
from here import PROJECT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from scanning import scan_only
from test_cli import run

from dedupe.analysis.check import RULES, Gate, Limits, Override, Verdict, check
from dedupe.analysis.check.settings import read_gate, with_limits
from dedupe.analysis.paths.globs import pattern_of
from dedupe.errors import UsageError
from dedupe.report.check import to_json, to_markdown, to_terminal
from dedupe.store.session import Session

MEGABYTE = 1_000_000
IGNORED = (None, "a/**", "b")


def ignores(glob: str | None, path: str) -> bool:
    """Whether one of the globs of ``IGNORED`` fits, told without a regular expression."""
    if glob is None:
        return False
    return path.startswith("a/") if glob == "a/**" else path.rpartition("/")[2] == glob


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(drawn=named_stores(), glob=st.sampled_from(IGNORED), data=st.data())
def test_figures_of_random_stores(drawn: tuple, glob: str | None, data: st.DataObject) -> None:
    """Own, upper and base bytes are the oracle's; layers and paths add up to them."""
    store, names = drawn
    images = images_of(store, names)
    ids = {each.image_id: name for name, each in images.items()}
    tars = {layer: tar_of(members) for layer, members in store.layers.items()}
    with tempfile.TemporaryDirectory() as folder:
        session = scan_store(Path(folder), images.values())
        known = sorted(ids[row["image_id"]] for row in session.rows("image_names"))
        base = data.draw(st.lists(st.sampled_from(known), max_size=1))
        base_tars = data.draw(st.lists(st.sampled_from(sorted(set(tars.values()))), max_size=1))
        ignored = pattern_of(glob) if glob else None
        about = {
            "base_images": [images[each].image_id for each in base],
            "base_layers": [Image([tar]).diff_ids[0] for tar in base_tars],
            "ignored": ignored,
        }
        rows = {ids[row["image_id"]]: row for row in session.rows("check/images", **about)}
        for name, row in rows.items():
            for held, column in (
                ("own", "shadowed_bytes"),
                ("upper", "upper_shadowed_bytes"),
                ("base", "base_shadowed_bytes"),
            ):
                chosen = {**about, "images": [row["image_id"]], "held": held, "most": 1000}
                for query, part in (
                    ("check/layers", "shadowed_bytes"),
                    ("check/paths", "size_bytes"),
                ):
                    parts = session.rows(query, **chosen)
                    assert sum(each[part] for each in parts) == row[column], (name, held, query)
        (whole,) = session.rows("check/store", ignored=ignored)
        copies = session.rows("check/duplicates", ignored=ignored, most=1000)
    assert sorted(rows) == known
    for name, row in rows.items():
        stack = [tars[layer] for layer in store.images[name]]
        own = [
            tar not in base_tars
            and not any(
                [tars[layer] for layer in store.images[other]][: place + 1] == stack[: place + 1]
                for other in base
            )
            for place, tar in enumerate(stack)
        ]
        layers = [store.layers[layer] for layer in store.images[name]]
        content = [oracle.layer_bytes(layer) for layer in layers]
        expected: Counter[str] = Counter()
        for each in oracle.stack(layers).shadowed:
            if ignores(glob, each.path):
                continue
            if own[each.added_position]:
                expected["own"] += each.size_bytes
                expected["upper"] += each.size_bytes if each.added_position else 0
            elif own[each.hidden_position]:
                expected["base"] += each.size_bytes
        held = sum(size for size, mine in zip(content, own, strict=True) if mine)
        upper = sum(size for size, mine in zip(content[1:], own[1:], strict=True) if mine)
        assert row["content_bytes"] == held
        assert row["shadowed_bytes"] == expected["own"]
        assert row["upper_shadowed_bytes"] == expected["upper"]
        assert row["base_shadowed_bytes"] == expected["base"]
        assert row["efficiency"] == pytest.approx((held - expected["own"]) / held if held else 1)
        assert row["shadowed_percent"] == pytest.approx(100 - 100 * row["efficiency"])
        share = 100 * expected["upper"] / upper if upper else 0
        assert row["upper_shadowed_percent"] == pytest.approx(share)
    used = {tars[layer]: store.layers[layer] for name in known for layer in store.images[name]}
    files = [
        member.content
        for layer in used.values()
        for member in layer
        if member.kind == "f" and not ignores(glob, member.path)
    ]
    duplicate = sum(len(content) for content in files) - sum(len(each) for each in set(files))
    assert whole["duplicate_bytes"] == duplicate == sum(row["duplicate_bytes"] for row in copies)
    assert whole["layer_bytes"] == sum(oracle.layer_bytes(layer) for layer in used.values())


BASE = image([file("lib", b"L" * MEGABYTE)], [file("lib", b"M" * MEGABYTE)], names=["r/base:1"])
APP = Image(
    [*BASE.layers, tar_of([file("big", b"1" * 3 * MEGABYTE)]), tar_of([whiteout("big")])],
    names=["r/app:1"],
    history=["ADD lib", "RUN patch lib", "RUN make big", "RUN rm big"],
)
TINY = image([file("t", b"1" * 90)], [file("t", b"2" * 10)], names=["r/tiny:1"])


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scan of three images: 5 MB of which 4 are shadowed, a base of 2 of which 1, a tiny one."""
    folder = tmp_path_factory.mktemp("gate")
    write_oci_layout(folder / "store", [BASE, APP, TINY])
    scan_only(folder / "catalog", folder / "store")
    return folder / "catalog"


def judged(catalog: Path, *fail: str, **more: object) -> dict[str, tuple[Verdict, list[str]]]:
    """Rule -> verdict and the names that broke it."""
    gate = with_limits(Gate(**more), fail, ())
    found = check(Session(catalog), gate)
    return {
        each.rule.name: (each.verdict, [breach.subject for breach in each.breaches])
        for each in found.outcomes
    }


def test_the_limit_itself_is_allowed(catalog: Path) -> None:
    """A rule breaks beyond its limit, not at it."""
    for limit, verdict in (("4MB", Verdict.PASSED), ("3999999", Verdict.FAILED)):
        found = judged(catalog, f"highest-shadowed-bytes={limit}")
        assert found["highest_shadowed_bytes"][0] is verdict
    for limit, verdict in (("20%", Verdict.PASSED), ("0.2000001", Verdict.FAILED)):
        found = judged(catalog, f"lowest-efficiency={limit}", floor_bytes=MEGABYTE + 1)
        assert found["lowest_efficiency"][0] is verdict


def test_floor(catalog: Path) -> None:
    """A share of fewer bytes than the floor breaks nothing, whatever the share; bytes still do."""
    percent = "highest-shadowed-percent=10"
    every = ["r/tiny:1", "r/app:1", "r/base:1"]
    assert judged(catalog, percent, floor_bytes=0)["highest_shadowed_percent"][1] == every
    large = judged(catalog, percent, floor_bytes=MEGABYTE)["highest_shadowed_percent"]
    assert large == (Verdict.FAILED, ["r/app:1", "r/base:1"])
    assert judged(catalog, percent)["highest_shadowed_percent"] == (Verdict.PASSED, [])
    found = judged(catalog, "highest-shadowed-bytes=89")["highest_shadowed_bytes"]
    assert found[1] == ["r/app:1", "r/base:1", "r/tiny:1"]


def test_base_layers_are_not_held_against_images(catalog: Path) -> None:
    """By name or by diff ID; the share is then of the image's own layers."""
    rule = "highest-shadowed-bytes=3MB"
    assert judged(catalog, rule)["highest_shadowed_bytes"][1] == ["r/app:1"]
    for more in ({"base": ("r/base:*",)}, {"base_layers": tuple(BASE.diff_ids)}):
        assert judged(catalog, rule, **more)["highest_shadowed_bytes"] == (Verdict.PASSED, [])
        share = judged(catalog, "highest-shadowed-percent=99", floor_bytes=0, **more)
        assert share["highest_shadowed_percent"][1] == ["r/app:1"]
    found = check(Session(catalog), Gate({"highest_shadowed_bytes": Limits(fail=0)}, base=("x",)))
    assert found.notes == ("base x: the scan has no such image",)


def test_hiding_files_of_a_base(tmp_path: Path) -> None:
    """What own layers hide of a base is no fault of either, but a rule of its own."""
    base = image([file("lib", b"1" * 1000)], names=["base"])
    app = image([file("lib", b"1" * 1000)], [file("lib", b"2" * 10)], names=["app"])
    write_oci_layout(tmp_path / "store", [base, app])
    scan_only(tmp_path / "c", tmp_path / "store")
    rules = ("highest-shadowed-bytes=0", "highest-base-shadowed-bytes=999")
    found = judged(tmp_path / "c", *rules, base=("base",))
    assert found["highest_shadowed_bytes"] == (Verdict.PASSED, [])
    assert found["highest_base_shadowed_bytes"] == (Verdict.FAILED, ["app"])


def test_paths_to_ignore(catalog: Path) -> None:
    """A file whose path is ignored counts as readable."""
    found = judged(catalog, "highest-shadowed-bytes=1MB", ignored_paths=("big",))
    assert found["highest_shadowed_bytes"] == (Verdict.PASSED, [])
    found = judged(catalog, "highest-shadowed-bytes=1MB", ignored_paths=("big/*", "bi"))
    assert found["highest_shadowed_bytes"] == (Verdict.FAILED, ["r/app:1"])


def test_overrides(catalog: Path) -> None:
    """Other limits for names that fit a glob; the last that fits decides, also for repositories."""
    loose = Override("r/app:*", limits={"highest_shadowed_bytes": Limits(fail=4 * MEGABYTE)})
    rule = "highest-shadowed-bytes=100"
    names = judged(catalog, rule, overrides=(loose,))["highest_shadowed_bytes"][1]
    assert names == ["r/base:1"]
    silent = Override("r/*", ignore=True)
    assert "highest_shadowed_bytes" not in judged(catalog, rule, overrides=(loose, silent))
    names = judged(catalog, rule, overrides=(silent, loose))["highest_shadowed_bytes"][1]
    assert names == []
    exclusive = "highest-exclusive-bytes=50"
    every = judged(catalog, exclusive)["highest_exclusive_bytes"][1]
    assert every == ["r/app", "r/tiny"]
    found = judged(catalog, exclusive, overrides=(Override("r/tiny", ignore=True),))
    assert found["highest_exclusive_bytes"][1] == ["r/app"]


def test_evidence_and_repair(catalog: Path) -> None:
    """A broken rule shows the layers and paths to blame, the steps, and how to fix them."""
    found = check(Session(catalog), with_limits(Gate(), ["highest-shadowed-bytes=1MB"], ()))
    outcome = next(each for each in found.outcomes if each.rule.name == "highest_shadowed_bytes")
    layers, paths = outcome.evidence
    first = layers.rows[0]
    assert (first["shadowed_bytes"], first["added_by"]) == (3 * MEGABYTE, "RUN make big")
    assert first["hidden_by"] == "RUN rm big"
    assert "join the rm to the step of layer 2" in first["repair"]
    assert [row["path"] for row in paths.rows] == ["big", "lib"]
    text = to_terminal(found, plain=False)
    for part in ("4.0 MB is above 1.0 MB: r/app:1", "RUN make big", "join the rm", "fix: "):
        assert part in text


def test_ten_are_shown_and_all_are_told(tmp_path: Path) -> None:
    """Ten subjects, layers and paths are named of many; JSON has every breach."""
    images = [
        image([file(f"f{n}", b"1" * (n + 1))], [file(f"f{n}", b"2")], names=[f"i:{n}"])
        for n in range(13)
    ]
    write_oci_layout(tmp_path / "store", images)
    scan_only(tmp_path / "c", tmp_path / "store")
    found = check(Session(tmp_path / "c"), with_limits(Gate(), ["highest-shadowed-bytes=0"], ()))
    text = to_terminal(found, plain=True)
    assert "and 3 more; -f json lists all" in text
    assert len(re.findall(r"is above 0: i:\d+", text)) == 10
    (rule,) = [each for each in json.loads(to_json(found))["rules"] if each["breaches"]]
    assert [each["value"] for each in rule["breaches"]] == list(range(13, 0, -1))
    assert [len(each["rows"]) for each in rule["evidence"]] == [10, 10]


def test_growth(tmp_path: Path) -> None:
    """Against the scan before of the same source, or a named one; the first cannot be judged."""
    store, catalog = tmp_path / "store", tmp_path / "c"
    images = [image([file("a", b"1" * 5000)], names=["a"])]
    rules = ("highest-growth-bytes=7000", "highest-growth-percent=50")
    write_oci_layout(store, images, "none")
    first = scan_only(catalog, store).scan_id
    for verdict, _ in (
        judged(catalog, *rules)[name.partition("=")[0].replace("-", "_")] for name in rules
    ):
        assert verdict is Verdict.NOT_JUDGED
    images.append(image([file("b", b"2" * 9000)], names=["b"]))
    write_oci_layout(store, images, "none")
    scan_only(catalog, store)
    write_oci_layout(tmp_path / "other", [TINY], "none")
    found = check(Session(catalog), with_limits(Gate(floor_bytes=0), rules, ()))
    grown = {each.rule.name: each for each in found.outcomes if each.breaches}
    assert set(grown) == {"highest_growth_bytes", "highest_growth_percent"}
    stored = [row["stored_bytes"] for row in Session(catalog).rows("trend")]
    assert grown["highest_growth_bytes"].worst.value == stored[1] - stored[0] > 9000
    share = 100 * (stored[1] - stored[0]) / stored[0]
    assert grown["highest_growth_percent"].worst.value == pytest.approx(share)
    came = {each.title: each.rows for each in grown["highest_growth_bytes"].evidence}
    assert [row["name"] for row in came["images that came"]] == ["b"]
    # a scan of another store is no baseline for this one
    scan_only(catalog, tmp_path / "other")
    write_oci_layout(store, images, "none")
    scan_only(catalog, store)
    assert judged(catalog, *rules)["highest_growth_bytes"] == (Verdict.PASSED, [])
    since = judged(catalog, *rules, baseline=first, floor_bytes=0)
    assert since["highest_growth_bytes"][0] is Verdict.FAILED


def test_incomplete_images_are_said(tmp_path: Path) -> None:
    """A layer that could not be read warns by itself, and fails where that is asked for."""
    broken = image([file("x", b"1" * 5000)], names=["broken"])
    contents = write_oci_layout(tmp_path / "store", [TINY, broken])
    blob = tmp_path / "store/blobs/sha256" / contents.layers[broken.image_id][0][7:]
    blob.write_bytes(blob.read_bytes()[:-9])
    scan_only(tmp_path / "c", tmp_path / "store")
    found = check(Session(tmp_path / "c"), with_limits(Gate(), ["highest-shadowed-bytes=1GB"], ()))
    assert found.verdict is Verdict.WARNED
    (outcome,) = [each for each in found.outcomes if each.breaches]
    assert outcome.rule.name == "highest_incomplete_images"
    codes = {row["code"] for row in outcome.evidence[0].rows}
    assert codes & {"size-mismatch", "gzip-truncated"}
    found = judged(tmp_path / "c", "highest-incomplete-images=0")
    assert found["highest_incomplete_images"][0] is Verdict.FAILED


def settings_of(tmp_path: Path, text: str, name: str = "dedupe.toml") -> Gate:
    (tmp_path / name).write_text(text)
    return read_gate(tmp_path / name)


def test_settings(tmp_path: Path) -> None:
    """Values as people write them."""
    gate = settings_of(
        tmp_path,
        """
        [check]
        lowest_efficiency = "90 %"
        highest_shadowed_bytes = { warn = "1MB", fail = 2_000_000 }
        highest_shadowed_percent = 7.5
        highest_growth_bytes = "off"
        floor = "3kB"
        base = "debian:*"
        [[check.override]]
        match = "x/*"
        floor = 0
        lowest_efficiency = "off"
        [audit]
        keep = "90d"
        """,
    )
    assert gate.limits == {
        "lowest_efficiency": Limits(fail=0.9),
        "highest_shadowed_bytes": Limits(1_000_000, 2_000_000),
        "highest_shadowed_percent": Limits(fail=7.5),
        "highest_growth_bytes": Limits(),
    }
    assert (gate.floor_bytes, gate.base) == (3000, ("debian:*",))
    assert gate.overrides == (Override("x/*", False, 0, {"lowest_efficiency": Limits()}),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[check]\nlowest_eficiency = 1", "unknown key lowest_eficiency; the nearest is lowest_e"),
        ("[chekc]", "unknown key chekc; the nearest is check"),
        ("[check]\nlowest_efficiency = 90", "lowest_efficiency: expected a share as 0.9"),
        ("[check]\nlowest_efficiency = true", "lowest_efficiency: expected a whole number"),
        ("[check]\nhighest_shadowed_bytes = 'many'", "expected a size as 50MB"),
        ("[check]\nhighest_shadowed_bytes = 1.5", "expected a size as 50MB"),
        ("[check]\nhighest_shadowed_percent = -1", "expected a percentage"),
        ("[check]\nhighest_shadowed_percent = nan", "expected a percentage"),
        ("[check.lowest_efficiency]\nfale = 1", "unknown key fale; the nearest is fail"),
        ("[check]\nbase = [1]", "base: expected texts, found 1"),
        ("[[check.override]]\nignore = true", "[check.override 1]: match is missing"),
        ("check = 1", "check: expected a table, found 1"),
        ("[check", "no TOML"),
        ("a" * 2_000_000, "more than"),
    ],
)
def test_bad_settings(text: str, said: str, tmp_path: Path) -> None:
    """Anything unexpected is one error that names the file, the key, and what is expected."""
    with pytest.raises(UsageError) as caught:
        settings_of(tmp_path, text)
    assert said in caught.value.message
    assert "dedupe.toml" in caught.value.message


def test_dive_ci(tmp_path: Path) -> None:
    """Rules of dive by their names; its defaults stand for those that are left out."""
    gate = settings_of(
        tmp_path,
        "---\nrules:\n  # ratio\n  lowestEfficiency: 0.95 # high\n  highest-wasted-bytes: '20MB'\n"
        "  highestUserWastedPercent: disabled\n",
        ".dive-ci",
    )
    assert gate.limits == {
        "lowest_efficiency": Limits(fail=0.95),
        "highest_shadowed_bytes": Limits(fail=20_000_000),
        "highest_upper_shadowed_percent": Limits(),
    }
    assert gate.floor_bytes == 0
    gate = settings_of(tmp_path, "rules:\n", "ci.yaml")
    assert gate.limits["lowest_efficiency"] == Limits(fail=0.9)
    assert gate.limits["highest_shadowed_bytes"] == Limits()
    assert gate.limits["highest_upper_shadowed_percent"] == Limits(fail=10)
    assert any("dive's defaults stand" in note for note in gate.notes)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rules:\n  lowestEficiency: 0.9\n", ":2: unknown rule lowestEficiency"),
        ("rules: {lowestEfficiency: 0.9}\n", ":1: unknown key rules"),
        ("other:\n  x: 1\n", ":1: unknown key other; expected rules"),
        ("rules:\n  lowestEfficiency: 90\n", "lowestEfficiency: expected a share as 0.9"),
        ("rules:\n  highestWastedBytes: much\n", "highestWastedBytes: much: expected a size"),
        ("rules:\n  - a\n", ":2: expected 'name: value' below 'rules:'"),
    ],
)
def test_bad_dive_ci(text: str, said: str, tmp_path: Path) -> None:
    """What is no file of dive's rules is refused, by its line."""
    with pytest.raises(UsageError) as caught:
        settings_of(tmp_path, text, ".dive-ci")
    assert said in caught.value.message


def test_dives_names_have_their_meaning(tmp_path: Path) -> None:
    """A deleted directory fails, which dive passes; a rewritten file counts once, not twice."""
    folder = [file(f"app/{n}", bytes([n]) * MEGABYTE) for n in range(10)]
    deleted = image([file("os", b"0" * MEGABYTE)], folder, [whiteout("app")], names=["deleted"])
    rewritten = image(
        [file("os", b"0" * 9 * MEGABYTE)],
        [file("f", b"1" * 5 * MEGABYTE)],
        [file("f", b"1" * 5 * MEGABYTE, mode=0o755)],
        names=["rewritten"],
    )
    write_oci_layout(tmp_path / "store", [deleted, rewritten])
    scan_only(tmp_path / "c", tmp_path / "store")
    limits = ("lowestEfficiency: 0.5", "highestWastedBytes: 5MB", "highestUserWastedPercent: 0.5")
    text = "rules:\n" + "".join(f"  {limit}\n" for limit in limits)
    found = check(Session(tmp_path / "c"), settings_of(tmp_path, text, ".dive-ci"))
    broken = {
        each.rule.name: [breach.subject for breach in each.breaches] for each in found.outcomes
    }
    # dive: efficiency 100 % and 0 bytes for the first, 10 MB and 100 % for the second
    assert broken["lowest_efficiency"] == ["deleted"]
    assert broken["highest_shadowed_bytes"] == ["deleted"]
    assert broken["highest_upper_shadowed_percent"] == ["deleted"]


def test_command(catalog: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """0 where all is kept or only warned of, 10 where a rule failed, 2 for usage."""
    monkeypatch.chdir(tmp_path)
    assert run(catalog, "check").returncode == 2
    assert "no rule is set" in run(catalog, "check").stderr
    done = run(catalog, "check", "--warn", "highest-shadowed-bytes=1MB")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("verdict")
    assert "warned" in done.stdout
    done = run(catalog, "check", "--fail", "highest_shadowed_bytes=1MB", "-f", "json")
    assert done.returncode == 10
    assert json.loads(done.stdout)["verdict"] == "failed"
    for wrong in ("nonsense=1", "lowest-efficiency=2", "lowest-efficiency"):
        assert run(catalog, "check", "--fail", wrong).returncode == 2
    (tmp_path / ".dive-ci").write_text("rules:\n  highestWastedBytes: 1MB\n")
    done = run(catalog, "check")
    assert done.returncode == 10
    assert "rules of .dive-ci" in done.stderr
    (tmp_path / "dedupe.toml").write_text("[check]\nhighest_shadowed_bytes = '1GB'\n")
    assert run(catalog, "check").returncode == 0
    done = run(catalog, "check", "--fail", "highest-shadowed-bytes=1MB", "-o", "out.txt")
    assert (done.returncode, done.stdout) == (10, "")
    assert "failed" in (tmp_path / "out.txt").read_text()
    assert run(catalog, "check", "--config", "absent.toml").returncode == 2
    assert run(catalog, "check", "--baseline", "absent").returncode == 5


def test_hostile_names_are_text(tmp_path: Path) -> None:
    """Markdown takes nothing from an image for markup, a screen nothing for an escape."""
    evil = b"a|b<script>`x`[l](http://e)\x1b[31m\n@all"
    hostile = Image(
        [tar_of([raw(evil, content=b"1" * 99)]), tar_of([raw(evil, content=b"2")])],
        names=["<b>|x:1"],
        history=["RUN </details>\n| # \x1b[0m", "RUN _b_ <!-- "],
    )
    write_oci_layout(tmp_path / "store", [hostile])
    scan_only(tmp_path / "c", tmp_path / "store")
    found = check(Session(tmp_path / "c"), with_limits(Gate(), ["highest-shadowed-bytes=1"], ()))
    rendered = MarkdownIt("gfm-like", {"linkify": False}).render(to_markdown(found))
    assert "<code>&lt;b&gt;|x:1" in rendered
    # what is left without code spans and our own two tags is markup that we made
    bare = re.sub(r"<code>.*?</code>|</?details>|</?summary>", "", rendered)
    for part in ("script", "href", "@all", "<b>", "<em>", "<!--", "\x1b"):
        assert part not in bare, part
    assert rendered.count("</details>") == 1
    rows = re.findall(r"<tr>(.*?)</tr>", rendered, re.DOTALL)
    assert {len(re.findall("<t[dh]>", row)) for row in rows} == {5, 7, 9}
    assert "\x1b" not in to_terminal(found, plain=False)


def test_markdown_fits_into_a_comment(tmp_path: Path) -> None:
    """However long names and steps are, and however many rules are broken."""
    steps = [f"RUN {'x' * 4000} {n}" for n in range(2)]
    images = [
        Image(
            [tar_of([file(f"{'p' * 900}{n}", b"1" * 99)]), tar_of([file(f"{'p' * 900}{n}", b"2")])],
            names=[f"{'n' * 900}:{n}"],
            history=steps,
        )
        for n in range(12)
    ]
    write_oci_layout(tmp_path / "store", images)
    scan_only(tmp_path / "c", tmp_path / "store")
    every = [f"{rule.name}={'1' if rule.lowest else '0'}" for rule in RULES]
    found = check(Session(tmp_path / "c"), with_limits(Gate(floor_bytes=0), every, ()))
    markdown = to_markdown(found)
    assert 30_000 < len(markdown) < 65_536
    assert all(rule.name in markdown for rule in RULES)


def test_page_of_the_gate() -> None:
    """docs/check.md names every rule, and its example is read as it stands."""
    page = (PROJECT / "docs/check.md").read_text()
    for rule in RULES:
        assert f"`{rule.name}`" in page
    (example,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert tomllib.loads(example)["check"]
    with tempfile.TemporaryDirectory() as folder:
        assert settings_of(Path(folder), example).demanded
