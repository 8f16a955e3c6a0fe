"""The rules of a ``.dive-ci`` file, judged by what their names say.

For each path that several layers have, dive counts *all* copies as wasted, also the one that
containers read. It does not count files of deleted directories. Here, the rule of the same name
counts the bytes that no container can read, each once:

    lowestEfficiency          lowest_efficiency
    highestWastedBytes        highest_shadowed_bytes
    highestUserWastedPercent  highest_upper_shadowed_percent (dive writes it as a share of 1)

So the same limits are easier to keep for images that rewrite files, and harder for images that
delete directories. A rule that the file leaves out has dive's own default. There is no floor,
because dive has none.

The file is YAML of one shape: ``rules:``, and below it lines of ``name: value``. Anything else is
an error: a parser for all of YAML would be a dependency for three lines.
"""

import re
from pathlib import Path

from dedupe.analysis.check.rules import CheckSettings, RuleLimits
from dedupe.errors import UsageError, reason_of
from dedupe.installed import locate_pages
from dedupe.model.amounts import size_bytes

_MOST_BYTES = 1 << 16
_LINE = re.compile(r"""(\s*)([A-Za-z-]+)\s*:\s*("[^"]*"|'[^']*'|[^"'#\s][^#]*)?(?:\s*|\s+#.*)""")
#: dive's rule -> its value if the file leaves it out
_DEFAULTS = {
    "lowestEfficiency": "0.9",
    "highestWastedBytes": "disabled",
    "highestUserWastedPercent": "0.1",
}
#: newer versions of dive spell the names with hyphens
_SPELLINGS = {
    **{name: name for name in _DEFAULTS},
    "lowest-efficiency": "lowestEfficiency",
    "highest-wasted-bytes": "highestWastedBytes",
    "highest-user-wasted-percent": "highestUserWastedPercent",
}
_NOTE = (
    "dive's rules are judged by the bytes that no container can read: dive itself also counts the "
    "copy that containers read, and does not count files of deleted directories (docs/check.md)"
)


def read_dive_ci(path: Path) -> CheckSettings:
    """The settings in the file.

    Raises UsageError: ``unknown-key``, ``bad-value``, ``bad-settings``, ``unreadable-settings``.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES + 1).decode()
    except OSError as error:
        raise UsageError(
            f"{path}: cannot be read: {reason_of(error)}",
            "unreadable-settings",
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: is not text: {error}", "bad-settings") from error
    given = _rules(path, text[:_MOST_BYTES])
    rules = _DEFAULTS | given
    limits = {
        "lowest_efficiency": _share(path, "lowestEfficiency", rules, 1),
        "highest_shadowed_bytes": _bytes(path, "highestWastedBytes", rules),
        "highest_upper_shadowed_percent": _share(path, "highestUserWastedPercent", rules, 100),
    }
    absent = [f"{name} {value}" for name, value in _DEFAULTS.items() if name not in given]
    notes = (
        locate_pages(_NOTE),
        *([f"dive's defaults apply: {', '.join(absent)}"] if absent else []),
    )
    return CheckSettings(
        limits={name: RuleLimits(fail=value) for name, value in limits.items()},
        floor_bytes=0,
        notes=notes,
    )


def _rules(path: Path, text: str) -> dict[str, str]:
    rules: dict[str, str] = {}
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if not line.partition("#")[0].strip() or line.strip() in ("---", "..."):
            continue
        found = _LINE.fullmatch(line)
        if found is None:
            raise UsageError(
                f"{path}:{number}: expected 'name: value' below 'rules:', found {line.strip()!r}",
                "bad-settings",
            )
        indent, name, value = found[1], found[2], (found[3] or "").strip().strip("\"'")
        if not indent:
            inside = name == "rules" and not value
            if not inside:
                raise UsageError(
                    f"{path}:{number}: unknown key {name}; expected rules", "unknown-key"
                )
            continue
        if not inside or name not in _SPELLINGS:
            raise UsageError(
                f"{path}:{number}: unknown rule {name}; dive's are {', '.join(_DEFAULTS)}",
                "unknown-key",
            )
        rules[_SPELLINGS[name]] = value
    return rules


def _share(path: Path, name: str, rules: dict[str, str], scale: int) -> float | None:
    text = rules[name]
    if text == "disabled":
        return None
    if not re.fullmatch(r"[01](\.\d{1,9})?|\.\d{1,9}", text) or float(text) > 1:
        raise UsageError(f"{path}: {name}: expected a share like 0.9, found {text!r}", "bad-value")
    return float(text) * scale


def _bytes(path: Path, name: str, rules: dict[str, str]) -> int | None:
    text = rules[name]
    if text == "disabled":
        return None
    try:
        return size_bytes(text)
    except UsageError as error:
        raise UsageError(f"{path}: {name}: {error.message}", "bad-value") from None
