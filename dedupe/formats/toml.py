"""Settings in TOML, read strictly: a key that nobody asks for is an error, never silence."""

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dedupe.errors import UsageError, reason_of

#: settings are written by hand; more is some other file
_MOST_BYTES = 1 << 20
_KINDS = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "a table",
}


class Section:
    """A table of a settings file; its keys are taken one by one, then ``done`` refuses the rest."""

    def __init__(self, file: str, name: str, values: Mapping[str, Any]) -> None:
        self.file = file
        self.name = name
        self._values = dict(values)
        self._asked: list[str] = []

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def take(self, key: str, *kinds: type) -> Any:
        """The key's value, one of these kinds; None where it is absent."""
        self._asked.append(key)
        value = self._values.pop(key, None)
        if value is not None and type(value) not in kinds:
            expected = " or ".join(_KINDS[kind] for kind in kinds)
            raise self.wrong(key, value, expected)
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts, or one text, as a tuple; empty where it is absent."""
        found = self.take(key, str, list)
        listed = [found] if isinstance(found, str) else found or []
        for value in listed:
            if not isinstance(value, str):
                raise self.wrong(key, value, "texts")
        return tuple(listed)

    def section(self, key: str) -> "Section":
        """A table below this one; empty where it is absent."""
        return Section(self.file, self._below(key), self.take(key, dict) or {})

    def sections(self, key: str) -> list["Section"]:
        """Tables of a list below this one."""
        found = self.take(key, list) or []
        for value in found:
            if not isinstance(value, dict):
                raise self.wrong(key, value, "tables")
        return [
            Section(self.file, f"{self._below(key)} {number}", value)
            for number, value in enumerate(found, 1)
        ]

    def done(self) -> None:
        """Raises UsageError for a key that was not asked for, with the nearest that is known."""
        for key in self._values:
            close = difflib.get_close_matches(key, self._asked, n=1)
            hint = f"the nearest is {close[0]}; " if close else ""
            raise UsageError(
                f"{self._place}: unknown key {key}; {hint}there are "
                f"{', '.join(dict.fromkeys(self._asked))}",
                "unknown-key",
            )

    def wrong(self, key: str, value: object, expected: str) -> UsageError:
        """The error that a key's value is not what is expected."""
        return UsageError(
            f"{self._place}: {key}: expected {expected}, found {value!r}", "bad-value"
        )

    def _below(self, key: str) -> str:
        return f"{self.name}.{key}" if self.name else key

    @property
    def _place(self) -> str:
        return f"{self.file}: [{self.name}]" if self.name else self.file


def read_toml(path: Path) -> Section:
    """The top of a settings file; raises UsageError where it cannot be read."""
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise UsageError(f"{path}: more than {_MOST_BYTES} bytes of settings", "bad-settings")
        return Section(str(path), "", tomllib.loads(data.decode()))
    except OSError as error:
        raise UsageError(
            f"{path}: cannot be read: {reason_of(error)}",
            "unreadable-settings",
        ) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"{path}: no TOML: {error}", "bad-settings") from error
