"""Check: its figures, its limits, its messages and its exit codes."""

import json
import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import oracle
import pytest
from builders import Image, file, image, raw, tar_of, whiteout, write_oci_layout
from helpers.commands import run
from helpers.examples import examples
from helpers.scanning import scan_images, scan_only
from helpers.strategies import images_of, named_stores
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from dedupe.analysis.check import RULES, CheckSettings, Override, RuleLimits, Verdict, check
from dedupe.analysis.check.settings import with_limits
from dedupe.analysis.paths.globs import pattern_of
from dedupe.report.check import to_json, to_markdown, to_terminal
from dedupe.store.session import Session

MEGABYTE = 1_000_000
IGNORED = (None, "a/**", "b")


def ignores(glob: str | None, path: str) -> bool:
    """Whether a glob of ``IGNORED`` matches, decided without a regular expression."""
    if glob is None:
        return False
    return path.startswith("a/") if glob == "a/**" else path.rpartition("/")[2] == glob


@settings(max_examples=examples(40), deadline=None, suppress_health_check=list(HealthCheck))
@given(drawn=named_stores(), glob=st.sampled_from(IGNORED), data=st.data())
def test_figures_of_random_stores_are_the_oracles(
    drawn: tuple, glob: str | None, data: st.DataObject
) -> None:
    """Own, upper and base bytes are the oracle's; layers and paths add up to them."""
    store, names = drawn
    images = images_of(store, names)
    ids = {each.image_id: name for name, each in images.items()}
    tars = {layer: tar_of(members) for layer, members in store.layers.items()}
    with tempfile.TemporaryDirectory() as folder:
        session = scan_images(Path(folder), images.values())
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
    """A scan of three images of 5 MB, 2 MB and 100 B, of which 4 MB, 1 MB and 90 B are shadowed."""
    folder = tmp_path_factory.mktemp("check")
    write_oci_layout(folder / "store", [BASE, APP, TINY])
    scan_only(folder / "catalog", folder / "store")
    return folder / "catalog"


@pytest.fixture(scope="module")
def session(catalog: Path) -> Iterator[Session]:
    """A session on that scan, which makes its relations once for all tests."""
    made = Session(catalog)
    yield made
    made.close()


def judged(
    asked: Session | Path, *fail: str, **more: object
) -> dict[str, tuple[Verdict, list[str]]]:
    """Verdict and the names that broke the rule, by rule; of a session or a new one."""
    chosen = with_limits(CheckSettings(**more), fail, ())
    found = check(asked if isinstance(asked, Session) else Session(asked), chosen)
    return {
        each.rule.name: (each.verdict, [breach.subject for breach in each.breaches])
        for each in found.outcomes
    }


def test_a_value_equal_to_its_limit_passes(session: Session) -> None:
    """A rule breaks beyond its limit, not at it."""
    for limit, verdict in (("4MB", Verdict.PASSED), ("3999999", Verdict.FAILED)):
        found = judged(session, f"highest-shadowed-bytes={limit}")
        assert found["highest_shadowed_bytes"][0] is verdict
    for limit, verdict in (("20%", Verdict.PASSED), ("0.2000001", Verdict.FAILED)):
        found = judged(session, f"lowest-efficiency={limit}", floor_bytes=MEGABYTE + 1)
        assert found["lowest_efficiency"][0] is verdict


def test_shares_below_the_floor_are_skipped_and_bytes_are_not(session: Session) -> None:
    """A share of fewer bytes than the floor breaks no rule; a rule about bytes still breaks."""
    percent = "highest-shadowed-percent=10"
    every = ["r/tiny:1", "r/app:1", "r/base:1"]
    assert judged(session, percent, floor_bytes=0)["highest_shadowed_percent"][1] == every
    large = judged(session, percent, floor_bytes=MEGABYTE)["highest_shadowed_percent"]
    assert large == (Verdict.FAILED, ["r/app:1", "r/base:1"])
    assert judged(session, percent)["highest_shadowed_percent"] == (Verdict.SKIPPED, [])
    found = judged(session, "highest-shadowed-bytes=89")["highest_shadowed_bytes"]
    assert found[1] == ["r/app:1", "r/base:1", "r/tiny:1"]


def test_base_layers_do_not_count_for_images_on_them(session: Session) -> None:
    """The base is given by name or diff IDs; the share is then of the image's own layers."""
    rule = "highest-shadowed-bytes=3MB"
    assert judged(session, rule)["highest_shadowed_bytes"][1] == ["r/app:1"]
    for more in ({"base": ("r/base:*",)}, {"base_layers": tuple(BASE.diff_ids)}):
        assert judged(session, rule, **more)["highest_shadowed_bytes"] == (Verdict.PASSED, [])
        share = judged(session, "highest-shadowed-percent=99", floor_bytes=0, **more)
        assert share["highest_shadowed_percent"][1] == ["r/app:1"]
    found = check(
        session, CheckSettings({"highest_shadowed_bytes": RuleLimits(fail=0)}, base=("x",))
    )
    assert found.notes == ("base x: the scan has no such image",)


def test_hiding_files_of_a_base_has_a_rule_of_its_own(tmp_path: Path) -> None:
    """Bytes of a base that own layers hide count for neither, but for a rule of their own."""
    base = image([file("lib", b"1" * 1000)], names=["r/base:1"])
    app = image([file("lib", b"1" * 1000)], [file("lib", b"2" * 10)], names=["r/app:1"])
    write_oci_layout(tmp_path / "store", [base, app])
    scan_only(tmp_path / "c", tmp_path / "store")
    rules = ("highest-shadowed-bytes=0", "highest-base-shadowed-bytes=999")
    found = judged(tmp_path / "c", *rules, base=("r/base:1",))
    assert found["highest_shadowed_bytes"] == (Verdict.PASSED, [])
    assert found["highest_base_shadowed_bytes"] == (Verdict.FAILED, ["r/app:1"])


def test_ignored_paths_do_not_count(session: Session) -> None:
    """A shadowed file whose path is ignored counts as readable."""
    found = judged(session, "highest-shadowed-bytes=1MB", ignored_paths=("big",))
    assert found["highest_shadowed_bytes"] == (Verdict.PASSED, [])
    found = judged(session, "highest-shadowed-bytes=1MB", ignored_paths=("big/*", "bi"))
    assert found["highest_shadowed_bytes"] == (Verdict.FAILED, ["r/app:1"])


def test_the_last_matching_override_decides(session: Session) -> None:
    """Overrides set other limits for names or repositories that match a glob; the last counts."""
    loose = Override("r/app:*", limits={"highest_shadowed_bytes": RuleLimits(fail=4 * MEGABYTE)})
    rule = "highest-shadowed-bytes=100"
    names = judged(session, rule, overrides=(loose,))["highest_shadowed_bytes"][1]
    assert names == ["r/base:1"]
    silent = Override("r/*", ignore=True)
    assert "highest_shadowed_bytes" not in judged(session, rule, overrides=(loose, silent))
    names = judged(session, rule, overrides=(silent, loose))["highest_shadowed_bytes"][1]
    assert names == []
    exclusive = "highest-exclusive-bytes=50"
    every = judged(session, exclusive)["highest_exclusive_bytes"][1]
    assert every == ["r/app", "r/tiny"]
    found = judged(session, exclusive, overrides=(Override("r/tiny", ignore=True),))
    assert found["highest_exclusive_bytes"][1] == ["r/app"]


def test_a_broken_rule_shows_its_evidence_and_a_fix(session: Session) -> None:
    """A broken rule shows the layers and paths, the build steps, and how to fix them."""
    found = check(session, with_limits(CheckSettings(), ["highest-shadowed-bytes=1MB"], ()))
    outcome = next(each for each in found.outcomes if each.rule.name == "highest_shadowed_bytes")
    layers, paths = outcome.evidence
    first = layers.rows[0]
    assert (first["shadowed_bytes"], first["added_by"]) == (3 * MEGABYTE, "RUN make big")
    assert first["hidden_by"] == "RUN rm big"
    assert "join the rm to the step of layer 2" in first["fix"]
    assert [row["path"] for row in paths.rows] == ["big", "lib"]
    text = to_terminal(found, plain=False)
    for part in ("4.0 MB is above 1.0 MB: r/app:1", "RUN make big", "join the rm", "fix: "):
        assert part in text


def test_text_shows_ten_breaches_and_json_all(tmp_path: Path) -> None:
    """Of many subjects, layers and paths, text shows ten; JSON has every breach."""
    images = [
        image([file(f"f{n}", b"1" * (n + 1))], [file(f"f{n}", b"2")], names=[f"i:{n}"])
        for n in range(13)
    ]
    write_oci_layout(tmp_path / "store", images)
    scan_only(tmp_path / "c", tmp_path / "store")
    found = check(
        Session(tmp_path / "c"), with_limits(CheckSettings(), ["highest-shadowed-bytes=0"], ())
    )
    text = to_terminal(found, plain=True)
    assert "and 3 more; -f json lists all" in text
    assert len(re.findall(r"is above 0: i:\d+", text)) == 10
    (rule,) = [each for each in json.loads(to_json(found))["rules"] if each["breaches"]]
    assert [each["value"] for each in rule["breaches"]] == list(range(13, 0, -1))
    assert [len(each["rows"]) for each in rule["evidence"]] == [10, 10]


def test_growth_is_against_the_previous_or_a_named_scan(tmp_path: Path) -> None:
    """Growth compares with the last scan of the same source; without one it is skipped."""
    store, catalog = tmp_path / "store", tmp_path / "c"
    images = [image([file("a", b"1" * 5000)], names=["r/a:1"])]
    rules = ("highest-growth-bytes=7000", "highest-growth-percent=50")
    write_oci_layout(store, images, "none")
    first = scan_only(catalog, store).scan_id
    for verdict, _ in (
        judged(catalog, *rules)[name.partition("=")[0].replace("-", "_")] for name in rules
    ):
        assert verdict is Verdict.SKIPPED
    images.append(image([file("b", b"2" * 9000)], names=["r/b:1"]))
    write_oci_layout(store, images, "none")
    scan_only(catalog, store)
    write_oci_layout(tmp_path / "other", [TINY], "none")
    found = check(Session(catalog), with_limits(CheckSettings(floor_bytes=0), rules, ()))
    grown = {each.rule.name: each for each in found.outcomes if each.breaches}
    assert set(grown) == {"highest_growth_bytes", "highest_growth_percent"}
    stored = [row["stored_bytes"] for row in Session(catalog).rows("trend")]
    assert grown["highest_growth_bytes"].worst.value == stored[1] - stored[0] > 9000
    share = 100 * (stored[1] - stored[0]) / stored[0]
    assert grown["highest_growth_percent"].worst.value == pytest.approx(share)
    came = {each.title: each.rows for each in grown["highest_growth_bytes"].evidence}
    assert [row["name"] for row in came["new images"]] == ["r/b:1"]
    # a scan of another store is not a baseline for this one
    scan_only(catalog, tmp_path / "other")
    write_oci_layout(store, images, "none")
    scan_only(catalog, store)
    assert judged(catalog, *rules)["highest_growth_bytes"] == (Verdict.PASSED, [])
    since = judged(catalog, *rules, baseline=first, floor_bytes=0)
    assert since["highest_growth_bytes"][0] is Verdict.FAILED


def test_incomplete_images_warn_or_fail(tmp_path: Path) -> None:
    """An unreadable layer warns without being asked for, and fails if a rule asks for it.

    A rule about what the image holds cannot be judged, which fails too.
    """
    broken = image([file("x", b"1" * 5000)], names=["broken"])
    contents = write_oci_layout(tmp_path / "store", [TINY, broken])
    blob = tmp_path / "store/blobs/sha256" / contents.layers[broken.image_id][0][7:]
    blob.write_bytes(blob.read_bytes()[:-9])
    scan_only(tmp_path / "c", tmp_path / "store")
    found = check(
        Session(tmp_path / "c"), with_limits(CheckSettings(), ["highest-shadowed-bytes=1GB"], ())
    )
    assert (found.verdict, found.fails) == (Verdict.CANNOT_JUDGE, True)
    (outcome,) = [each for each in found.outcomes if each.breaches]
    assert outcome.rule.name == "highest_incomplete_images"
    codes = {row["code"] for row in outcome.evidence[0].rows}
    assert codes & {"size-mismatch", "gzip-truncated"}
    found = judged(tmp_path / "c", "highest-incomplete-images=0")
    assert found["highest_incomplete_images"][0] is Verdict.FAILED


def test_exit_code_is_10_for_failures_and_2_for_usage(
    catalog: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exit code is 0 if rules pass or only warn, 10 if a rule fails, and 2 for bad usage."""
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


def test_hostile_names_stay_text_in_every_form(tmp_path: Path) -> None:
    """Markdown shows no markup from an image, and a terminal gets no escape."""
    evil = b"a|b<script>`x`[l](http://e)\x1b[31m\n@all"
    hostile = Image(
        [tar_of([raw(evil, content=b"1" * 99)]), tar_of([raw(evil, content=b"2")])],
        names=["<b>|x:1"],
        history=["RUN </details>\n| # \x1b[0m", "RUN _b_ <!-- "],
    )
    write_oci_layout(tmp_path / "store", [hostile])
    scan_only(tmp_path / "c", tmp_path / "store")
    found = check(
        Session(tmp_path / "c"), with_limits(CheckSettings(), ["highest-shadowed-bytes=1"], ())
    )
    rendered = MarkdownIt("gfm-like", {"linkify": False}).render(to_markdown(found))
    assert "<code>&lt;b&gt;|x:1" in rendered
    # without code spans and our own two tags, only our own markup is left
    bare = re.sub(r"<code>.*?</code>|</?details>|</?summary>", "", rendered)
    for part in ("script", "href", "@all", "<b>", "<em>", "<!--", "\x1b"):
        assert part not in bare, part
    assert rendered.count("</details>") == 1
    rows = re.findall(r"<tr>(.*?)</tr>", rendered, re.DOTALL)
    assert {len(re.findall("<t[dh]>", row)) for row in rows} == {5, 7, 9}
    assert "\x1b" not in to_terminal(found, plain=False)


def test_markdown_fits_into_a_comment(tmp_path: Path) -> None:
    """Markdown fits into a comment, however many rules break and however long names are."""
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
    found = check(Session(tmp_path / "c"), with_limits(CheckSettings(floor_bytes=0), every, ()))
    markdown = to_markdown(found)
    assert 30_000 < len(markdown) < 65_536
    assert all(rule.name in markdown for rule in RULES)


@pytest.fixture(scope="module")
def partly_read(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog with a whole image of 10 bytes, and one that lacks the first of its two layers.

    The layer that was read holds 5,000 bytes twice.
    """
    folder = tmp_path_factory.mktemp("partly")
    lost = [file("lost", b"1" * 700)]
    twice = [file("a", b"2" * 5000), file("b", b"2" * 5000)]
    half = image(lost, twice, names=["r/half:1"])
    whole = image([file("x", b"3" * 10)], names=["r/whole:1", "s/whole:1"])
    contents = write_oci_layout(folder / "store", [half, whole])
    (folder / "store/blobs/sha256" / contents.layers[half.image_id][0][7:]).unlink()
    scan_only(folder / "c", folder / "store")
    return folder / "c"


@pytest.fixture(scope="module")
def partial(partly_read: Path) -> Iterator[Session]:
    """A session on that catalog, which makes its relations once for all tests."""
    made = Session(partly_read)
    yield made
    made.close()


#: rule -> its verdict for a store with an incomplete image, and why
UNKNOWN = {
    "lowest-efficiency=0.1": (Verdict.CANNOT_JUDGE, "incomplete: blob-missing"),
    "highest-shadowed-bytes=1GB": (Verdict.CANNOT_JUDGE, "incomplete: blob-missing"),
    # what was read is above the limit already, whatever the lost layer holds
    "highest-exclusive-bytes=9999": (Verdict.FAILED, ""),
    "highest-exclusive-bytes=10000": (Verdict.CANNOT_JUDGE, "1 incomplete image"),
    "highest-duplicate-bytes=4999": (Verdict.FAILED, ""),
    "highest-duplicate-bytes=5000": (Verdict.CANNOT_JUDGE, "1 incomplete image"),
    "highest-duplicate-percent=99": (Verdict.CANNOT_JUDGE, "1 incomplete image"),
    "highest-incomplete-images=1": (Verdict.PASSED, ""),
}


@pytest.mark.parametrize("rule", UNKNOWN)
def test_a_rule_whose_figure_is_unknown_cannot_judge(rule: str, partial: Session) -> None:
    """It fails as such, unless the settings let unknown figures pass."""
    name = rule.partition("=")[0].replace("-", "_")
    settings = with_limits(CheckSettings(floor_bytes=0), [rule], [])
    found = check(partial, settings)
    (outcome,) = [each for each in found.outcomes if each.rule.name == name]
    verdict, reason = UNKNOWN[rule]
    assert (outcome.verdict, outcome.reason) == (verdict, reason)
    assert found.fails == (verdict is not Verdict.PASSED)
    let = check(partial, replace(settings, unknown_passes=True))
    (outcome,) = [each for each in let.outcomes if each.rule.name == name]
    assert let.fails == (verdict is Verdict.FAILED)
    if verdict is Verdict.CANNOT_JUDGE:
        assert not outcome.unknown
        assert outcome.skipped == 1


def test_a_rule_that_can_only_warn_does_not_fail_for_an_unknown_figure(partial: Session) -> None:
    """It cannot judge, and the check warns."""
    settings = with_limits(CheckSettings(floor_bytes=0), [], ["lowest-efficiency=0.5"])
    found = check(partial, settings)
    verdicts = {each.rule.name: each.verdict for each in found.outcomes}
    assert verdicts["lowest_efficiency"] is Verdict.CANNOT_JUDGE
    assert (found.verdict, found.fails) == (Verdict.WARNED, False)


def test_unknown_figures_pass_where_the_file_says_so(
    partly_read: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For one rule, for all, or with an exception; an option lets all pass."""
    monkeypatch.chdir(tmp_path)
    rule = "lowest_efficiency = {{ fail = 0.1{} }}\n"
    for text, code in (
        (rule.format(""), 10),
        (rule.format(', unknown = "pass"'), 0),
        ('unknown = "pass"\n' + rule.format(""), 0),
        ('unknown = "pass"\n' + rule.format(', unknown = "fail"'), 10),
        (rule.format(', unknown = "maybe"'), 2),
    ):
        (tmp_path / "dedupe.toml").write_text(f"[check]\nfloor = 0\n{text}")
        assert run(partly_read, "check").returncode == code
    (tmp_path / "dedupe.toml").unlink()
    words = ("check", "--fail", "lowest-efficiency=0.1", "--floor", "0")
    shown = run(partly_read, *words)
    assert shown.returncode == 10
    assert "cannot judge: unknown (incomplete: blob-missing): r/half:1" in shown.stdout
    assert "cannot judge" in run(partly_read, *words, "-f", "markdown").stdout
    document = json.loads(run(partly_read, *words, "-f", "json").stdout)
    assert document["verdict"] == "cannot judge"
    (found,) = [each for each in document["rules"] if each["rule"] == "lowest_efficiency"]
    assert [(each["subject"], each["value"]) for each in found["unknown"]] == [("r/half:1", None)]
    assert run(partly_read, *words, "--allow-unknown").returncode == 0


def test_an_image_that_was_not_seen_cannot_be_judged(tmp_path: Path) -> None:
    """A manifest that cannot be read may be that of an image; growth on disk is known without."""
    store, catalog = tmp_path / "store", tmp_path / "c"
    other = image([file("x", b"3" * 10)], names=["r/other:1"])
    contents = write_oci_layout(store, [TINY, other])
    scan_only(catalog, store)
    manifest = store / "blobs/sha256" / contents.manifests[TINY.image_id][7:]
    manifest.write_bytes(manifest.read_bytes().replace(b"layers", b"lazers"))
    scan_only(catalog, store)
    found = judged(catalog, "lowest-efficiency=0.1", "highest-growth-bytes=1")
    assert found["lowest_efficiency"][0] is Verdict.CANNOT_JUDGE
    assert found["highest_growth_bytes"][0] is Verdict.PASSED


def test_a_cache_that_is_not_read_names_no_image(tmp_path: Path) -> None:
    """Only its unreferenced bytes are unknown, so the rules about images are judged."""
    store, root = tmp_path / "in/store", tmp_path / "in/buildkit"
    write_oci_layout(store, [TINY])
    (root / "runc-overlayfs/snapshots/snapshots").mkdir(parents=True)
    (root / "buildkitd.lock").touch()
    scan_only(tmp_path / "c", tmp_path / "in")
    session = Session(tmp_path / "c")
    assert session.rows("totals")[0]["orphan_bytes"] is None
    found = judged(tmp_path / "c", "lowest-efficiency=0.01", floor_bytes=0)
    assert found["lowest_efficiency"][0] is Verdict.PASSED


def test_no_rule_judges_what_a_later_scan_could_not_read(tmp_path: Path) -> None:
    """The rows of a stale source are old ones, and a place without anything has none."""
    store, catalog = tmp_path / "store", tmp_path / "c"
    write_oci_layout(store, [TINY])
    scan_only(catalog, store)
    scan_only(catalog, store)
    rules = ("lowest-efficiency=0.01", "highest-growth-bytes=1GB")
    assert {each for each, _ in judged(catalog, *rules, floor_bytes=0).values()} == {Verdict.PASSED}
    store.rename(tmp_path / "moved")
    store.mkdir()
    scan_only(catalog, store)
    found = check(Session(catalog), with_limits(CheckSettings(floor_bytes=0), rules, []))
    for outcome in found.outcomes:
        assert outcome.verdict is Verdict.CANNOT_JUDGE
        assert outcome.reason.startswith("stale: the scan of ")
    scan_only(tmp_path / "none", store)
    found = check(Session(tmp_path / "none"), with_limits(CheckSettings(), rules[:1], []))
    (outcome,) = [each for each in found.outcomes if each.rule.name == "lowest_efficiency"]
    assert outcome.reason.startswith("the last scan found nothing here")
