"""Reads the settings of a check: the table ``check`` of dedupe.toml, a .dive-ci, and options."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dedupe.analysis.check.dive_ci import read_dive_ci
from dedupe.analysis.check.rules import RULES, CheckSettings, Override, Rule, RuleLimits, Unit
from dedupe.errors import UsageError
from dedupe.formats.toml import Section, read_toml
from dedupe.model.amounts import size_bytes

_RULES = {rule.name: rule for rule in RULES}
_NUMBER = re.compile(r"(\d{1,18}(?:\.\d{1,9})?)\s*(%?)")
_EXPECTED = {
    Unit.BYTES: "a size like 50MB",
    Unit.PERCENT: 'a percentage like 10 or "10 %"',
    Unit.RATIO: 'a share like 0.9 or "90 %"',
    Unit.COUNT: "a whole number",
}
#: names of files that are read if no file is named; the first that exists is used
SETTINGS_FILES = ("dedupe.toml", ".dive-ci")


def settings_file(folder: Path) -> Path | None:
    """The file of settings in a folder, if there is one."""
    return next((folder / name for name in SETTINGS_FILES if (folder / name).is_file()), None)


def read_check_settings(path: Path) -> CheckSettings:
    """The settings in a dedupe.toml, or in a .dive-ci (also ``*.yaml``, ``*.yml``).

    Raises UsageError: ``unknown-key``, ``bad-value``, ``bad-settings``, ``unreadable-settings``.
    """
    if path.name == ".dive-ci" or path.suffix in (".yaml", ".yml"):
        return read_dive_ci(path)
    top = read_toml(path)
    settings = check_settings(top.section("check"))
    # the same file may have settings of an audit, which reads them itself
    top.take("audit", dict)
    top.done()
    return settings


def check_settings(section: Section) -> CheckSettings:
    """The settings in a table; raises UsageError ``unknown-key`` or ``bad-value``."""
    floor = _size(section, "floor")
    settings = CheckSettings(
        unknown_passes=bool(_unknown(section)),
        limits=_limits(section),
        base=section.texts("base"),
        base_layers=section.texts("base_layers"),
        ignored_paths=section.texts("ignore_paths"),
        baseline=section.take("baseline", str),
        overrides=tuple(_override(each) for each in section.sections("override")),
    )
    section.done()
    return settings if floor is None else replace(settings, floor_bytes=floor)


def with_limits(settings: CheckSettings, fail: Sequence[str], warn: Sequence[str]) -> CheckSettings:
    """The settings with limits from options, ``RULE=VALUE`` each, which replace their own.

    Raises UsageError: ``unknown-rule``, ``bad-value``.
    """
    limits = dict(settings.limits)
    for word in fail:
        rule, value = _limit_option(word)
        limits[rule.name] = replace(limits.get(rule.name, RuleLimits()), fail=value)
    for word in warn:
        rule, value = _limit_option(word)
        limits[rule.name] = replace(limits.get(rule.name, RuleLimits()), warn=value)
    return replace(settings, limits=limits)


def _limit_option(word: str) -> tuple[Rule, float]:
    """The rule and limit of ``RULE=VALUE``."""
    name, equals, text = word.partition("=")
    name = name.strip().replace("-", "_")
    rule = _RULES.get(name)
    if rule is None or not equals:
        close = difflib.get_close_matches(name, _RULES, n=1)
        hint = f"; the nearest is {close[0]}" if close else ""
        raise UsageError(
            f"{word}: expected RULE=VALUE{hint}; rules are {', '.join(_RULES)}", "unknown-rule"
        )
    value = _value(rule, text.strip())
    if value is None:
        raise UsageError(f"{word}: expected {_EXPECTED[rule.unit]}", "bad-value")
    return rule, value


def _override(section: Section) -> Override:
    match = section.take("match", str)
    if match is None:
        raise UsageError(f"{section.file}: [{section.name}]: match is missing", "bad-value")
    found = Override(
        match=match,
        ignore=bool(section.take("ignore", bool)),
        floor_bytes=_size(section, "floor"),
        limits=_limits(section),
    )
    section.done()
    return found


def _limits(section: Section) -> dict[str, RuleLimits]:
    """Limits by rule: a value is the limit to fail, a table has both limits, "off" removes them."""
    limits: dict[str, RuleLimits] = {}
    for rule in RULES:
        if rule.name not in section:
            # the key is known, so that a misspelt one gets it as a hint
            section.take(rule.name)
            continue
        found = section.take(rule.name, int, float, str, dict)
        if isinstance(found, dict):
            both = Section(section.file, f"{section.name}.{rule.name}", found)
            limits[rule.name] = RuleLimits(
                warn=_limit(both, rule, "warn", both.take("warn", int, float, str)),
                fail=_limit(both, rule, "fail", both.take("fail", int, float, str)),
                unknown_passes=_unknown(both),
            )
            both.done()
        else:
            limits[rule.name] = RuleLimits(fail=_limit(section, rule, rule.name, found))
    return limits


def _unknown(section: Section) -> bool | None:
    """Whether figures that are unknown pass; None if the section does not say."""
    found = section.take("unknown", str)
    if found not in (None, "pass", "fail"):
        raise section.wrong("unknown", found, '"pass" or "fail"')
    return None if found is None else found == "pass"


def _limit(section: Section, rule: Rule, key: str, found: float | str | None) -> float | None:
    if found is None or found == "off":
        return None
    value = _value(rule, found)
    if value is None:
        raise section.wrong(key, found, f'{_EXPECTED[rule.unit]}, or "off"')
    return value


def _value(rule: Rule, found: float | str) -> float | None:
    """A limit in the rule's unit; None if the value is not a limit."""
    if rule.unit is Unit.BYTES:
        if isinstance(found, float):
            return None
        try:
            return size_bytes(str(found))
        except UsageError:
            return None
    number = _NUMBER.fullmatch(str(found).strip())
    if number is None or (number[2] and rule.unit is Unit.COUNT):
        return None
    value = float(number[1])
    match rule.unit:
        case Unit.RATIO:
            value = value / 100 if number[2] else value
            return value if value <= 1 else None
        case Unit.COUNT:
            return value if value.is_integer() else None
        case Unit.PERCENT:
            return value


def _size(section: Section, key: str) -> int | None:
    found = section.take(key, int, str)
    if found is None:
        return None
    try:
        return size_bytes(str(found))
    except UsageError:
        raise section.wrong(key, found, "a size like 50MB") from None
