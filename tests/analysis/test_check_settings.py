"""Settings of the settings: its own file, and the file of dive."""

import re
import tempfile
import tomllib
from pathlib import Path

import pytest
from builders import file, image, whiteout, write_oci_layout
from helpers.scanning import scan_only
from here import PROJECT

from dedupe.analysis.check import RULES, CheckSettings, Override, RuleLimits, check
from dedupe.analysis.check.settings import read_check_settings
from dedupe.errors import UsageError
from dedupe.store.session import Session

MEGABYTE = 1_000_000


def settings_of(tmp_path: Path, text: str, name: str = "dedupe.toml") -> CheckSettings:
    """The settings that a settings file with this text gives."""
    (tmp_path / name).write_text(text)
    return read_check_settings(tmp_path / name)


def test_settings_are_read_as_users_write_them(tmp_path: Path) -> None:
    """Shares, percentages and sizes may be numbers or text, one limit or two, or off."""
    settings = settings_of(
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
    assert settings.limits == {
        "lowest_efficiency": RuleLimits(fail=0.9),
        "highest_shadowed_bytes": RuleLimits(1_000_000, 2_000_000),
        "highest_shadowed_percent": RuleLimits(fail=7.5),
        "highest_growth_bytes": RuleLimits(),
    }
    assert (settings.floor_bytes, settings.base) == (3000, ("debian:*",))
    assert settings.overrides == (Override("x/*", False, 0, {"lowest_efficiency": RuleLimits()}),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[check]\nlowest_eficiency = 1", "unknown key lowest_eficiency; the nearest is lowest_e"),
        ("[chekc]", "unknown key chekc; the nearest is check"),
        ("[check]\nlowest_efficiency = 90", "lowest_efficiency: expected a share like 0.9"),
        ("[check]\nlowest_efficiency = true", "lowest_efficiency: expected a whole number"),
        ("[check]\nhighest_shadowed_bytes = 'many'", "expected a size like 50MB"),
        ("[check]\nhighest_shadowed_bytes = 1.5", "expected a size like 50MB"),
        ("[check]\nhighest_shadowed_percent = -1", "expected a percentage"),
        ("[check]\nhighest_shadowed_percent = nan", "expected a percentage"),
        ("[check.lowest_efficiency]\nfale = 1", "unknown key fale; the nearest is fail"),
        ("[check]\nbase = [1]", "base: expected strings, found 1"),
        ("[[check.override]]\nignore = true", "[check.override 1]: match is missing"),
        ("check = 1", "check: expected a table, found 1"),
        ("[check", "not TOML"),
        ("a" * 2_000_000, "more than"),
    ],
)
def test_a_bad_setting_names_its_file_and_key(text: str, said: str, tmp_path: Path) -> None:
    """Anything unexpected is one error that names the file, the key, and what is expected."""
    with pytest.raises(UsageError) as caught:
        settings_of(tmp_path, text)
    assert said in caught.value.message
    assert "dedupe.toml" in caught.value.message


def test_rules_of_dive_are_read_with_its_defaults(tmp_path: Path) -> None:
    """Rules of dive are read by their names; those left out have dive's defaults."""
    settings = settings_of(
        tmp_path,
        "---\nrules:\n  # ratio\n  lowestEfficiency: 0.95 # high\n  highest-wasted-bytes: '20MB'\n"
        "  highestUserWastedPercent: disabled\n",
        ".dive-ci",
    )
    assert settings.limits == {
        "lowest_efficiency": RuleLimits(fail=0.95),
        "highest_shadowed_bytes": RuleLimits(fail=20_000_000),
        "highest_upper_shadowed_percent": RuleLimits(),
    }
    assert settings.floor_bytes == 0
    settings = settings_of(tmp_path, "rules:\n", "ci.yaml")
    assert settings.limits["lowest_efficiency"] == RuleLimits(fail=0.9)
    assert settings.limits["highest_shadowed_bytes"] == RuleLimits()
    assert settings.limits["highest_upper_shadowed_percent"] == RuleLimits(fail=10)
    assert any("dive's defaults apply" in note for note in settings.notes)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rules:\n  lowestEficiency: 0.9\n", ":2: unknown rule lowestEficiency"),
        ("rules: {lowestEfficiency: 0.9}\n", ":1: unknown key rules"),
        ("other:\n  x: 1\n", ":1: unknown key other; expected rules"),
        ("rules:\n  lowestEfficiency: 90\n", "lowestEfficiency: expected a share like 0.9"),
        ("rules:\n  highestWastedBytes: much\n", "highestWastedBytes: much: expected a size"),
        ("rules:\n  - a\n", ":2: expected 'name: value' below 'rules:'"),
    ],
)
def test_a_bad_file_of_dive_names_its_line(text: str, said: str, tmp_path: Path) -> None:
    """A file that does not hold rules of dive is refused with the line."""
    with pytest.raises(UsageError) as caught:
        settings_of(tmp_path, text, ".dive-ci")
    assert said in caught.value.message


def test_rules_of_dive_use_our_measures(tmp_path: Path) -> None:
    """A deleted directory fails, which dive passes; a rewritten file counts once, not twice."""
    folder = [file(f"app/{n}", bytes([n]) * MEGABYTE) for n in range(10)]
    deleted = image([file("os", b"0" * MEGABYTE)], folder, [whiteout("app")], names=["r/deleted:1"])
    rewritten = image(
        [file("os", b"0" * 9 * MEGABYTE)],
        [file("f", b"1" * 5 * MEGABYTE)],
        [file("f", b"1" * 5 * MEGABYTE, mode=0o755)],
        names=["r/rewritten:1"],
    )
    write_oci_layout(tmp_path / "store", [deleted, rewritten])
    scan_only(tmp_path / "c", tmp_path / "store")
    limits = ("lowestEfficiency: 0.5", "highestWastedBytes: 5MB", "highestUserWastedPercent: 0.5")
    text = "rules:\n" + "".join(f"  {limit}\n" for limit in limits)
    found = check(Session(tmp_path / "c"), settings_of(tmp_path, text, ".dive-ci"))
    broken = {
        each.rule.name: [breach.subject for breach in each.breaches] for each in found.outcomes
    }
    # dive has 100 % efficiency and 0 bytes for the first, 10 MB and 100 % for the second
    assert broken["lowest_efficiency"] == ["r/deleted:1"]
    assert broken["highest_shadowed_bytes"] == ["r/deleted:1"]
    assert broken["highest_upper_shadowed_percent"] == ["r/deleted:1"]


def test_the_page_names_every_rule() -> None:
    """docs/check.md names every rule, and its example is read without change."""
    page = (PROJECT / "docs/check.md").read_text()
    for rule in RULES:
        assert f"`{rule.name}`" in page
    (example,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert tomllib.loads(example)["check"]
    with tempfile.TemporaryDirectory() as folder:
        assert settings_of(Path(folder), example).has_limits
