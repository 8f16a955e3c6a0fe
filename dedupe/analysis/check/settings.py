"""Rules of a gate as people write them: the table ``check`` of dedupe.toml, and options."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dedupe.analysis.amounts import size_bytes
from dedupe.analysis.check.dive_ci import read_dive_ci
from dedupe.analysis.check.rules import RULES, Gate, Limits, Override, Rule, Unit
from dedupe.errors import UsageError
from dedupe.formats.toml import Section, read_toml

_RULES = {rule.name: rule for rule in RULES}
_NUMBER = re.compile(r"(\d{1,18}(?:\.\d{1,9})?)\s*(%?)")
#: files that are read where none is named, the first that is there
SETTINGS_FILES = ("dedupe.toml", ".dive-ci")


def settings_file(folder: Path) -> Path | None:
    """The file of settings in a folder, if any."""
    return next((folder / name for name in SETTINGS_FILES if (folder / name).is_file()), None)


def read_gate(path: Path) -> Gate:
    """The gate of a dedupe.toml, or of a .dive-ci (also ``*.yaml``, ``*.yml``).

    Raises UsageError: ``unknown-key``, ``bad-value``, ``bad-settings``, ``unreadable-settings``.
    """
    if path.name == ".dive-ci" or path.suffix in (".yaml", ".yml"):
        return read_dive_ci(path)
    top = read_toml(path)
    gate = gate_of(top.section("check"))
    top.take("audit", dict)
    top.done()
    return gate


def gate_of(section: Section) -> Gate:
    """The gate that a table describes."""
    floor = _size(section, "floor")
    gate = Gate(
        limits=_limits(section),
        base=section.texts("base"),
        base_layers=section.texts("base_layers"),
        ignored_paths=section.texts("ignore_paths"),
        baseline=section.take("baseline", str),
        overrides=tuple(_override(each) for each in section.sections("override")),
    )
    section.done()
    return gate if floor is None else replace(gate, floor_bytes=floor)


def with_limits(gate: Gate, fail: Sequence[str], warn: Sequence[str]) -> Gate:
    """The gate with limits of options, ``RULE=VALUE`` each, in place of its own."""
    limits = dict(gate.limits)
    for level, words in (("fail", fail), ("warn", warn)):
        for word in words:
            name, equals, text = word.partition("=")
            rule = _RULES.get(name.strip().replace("-", "_"))
            if rule is None or not equals:
                raise UsageError(_no_rule(word, name.strip().replace("-", "_")), "unknown-rule")
            value = _value(rule, text.strip())
            if value is None:
                raise UsageError(f"{word}: expected {_EXPECTED[rule.unit]}", "bad-value")
            known = limits.get(rule.name, Limits())
            limits[rule.name] = (
                replace(known, fail=value) if level == "fail" else replace(known, warn=value)
            )
    return replace(gate, limits=limits)


def _no_rule(word: str, name: str) -> str:
    close = difflib.get_close_matches(name, _RULES, n=1)
    hint = f"; the nearest is {close[0]}" if close else ""
    return f"{word}: expected RULE=VALUE{hint}; rules are {', '.join(_RULES)}"


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


def _limits(section: Section) -> dict[str, Limits]:
    """A value is where the rule fails; a table has both levels; "off" neither."""
    limits: dict[str, Limits] = {}
    for rule in RULES:
        if rule.name not in section:
            section.take(rule.name)
            continue
        found = section.take(rule.name, int, float, str, dict)
        if isinstance(found, dict):
            levels = Section(section.file, f"{section.name}.{rule.name}", found)
            limits[rule.name] = Limits(
                *(
                    _checked(levels, rule, level, levels.take(level, int, float, str))
                    for level in ("warn", "fail")
                )
            )
            levels.done()
        else:
            limits[rule.name] = Limits(fail=_checked(section, rule, rule.name, found))
    return limits


def _checked(section: Section, rule: Rule, key: str, found: Any) -> float | None:
    if found is None or found == "off":
        return None
    value = _value(rule, found)
    if value is None:
        raise section.wrong(key, found, f'{_EXPECTED[rule.unit]}, or "off"')
    return value


_EXPECTED = {
    Unit.BYTES: "a size as 50MB",
    Unit.PERCENT: 'a percentage as 10 or "10 %"',
    Unit.RATIO: 'a share as 0.9 or "90 %"',
    Unit.COUNT: "a whole number",
}


def _value(rule: Rule, found: float | str) -> float | None:
    """A limit in the rule's unit; None for what is none."""
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
        raise section.wrong(key, found, "a size as 50MB") from None
