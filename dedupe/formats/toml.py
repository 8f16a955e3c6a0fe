"""Read settings in TOML strictly: a key that the program does not know is an error."""

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dedupe.errors import UsageError, reason_of

#: Settings are written by hand: a larger file is something else.
_MAX_BYTES = 1 << 20
_TYPE_NAMES = {
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "a table",
}


class Section:
    """A table of a settings file: each key is taken once, then ``done`` refuses all others."""

    def __init__(self, file: str, name: str, values: Mapping[str, Any]) -> None:
        self.file = file
        self.name = name
        self._values = dict(values)
        self._taken: list[str] = []

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def take(self, key: str, *types: type) -> Any:
        """Remove the key and return its value, which has one of these types; None if absent.

        Raises UsageError ``bad-value`` for another type.
        """
        self._taken.append(key)
        value = self._values.pop(key, None)
        if value is not None and type(value) not in types:
            expected = " or ".join(_TYPE_NAMES[each] for each in types)
            raise self.wrong(key, value, expected)
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Take a string or a list of strings, and return a tuple; empty if the key is absent.

        Raises UsageError ``bad-value`` for anything else.
        """
        found = self.take(key, str, list)
        listed = [found] if isinstance(found, str) else found or []
        for value in listed:
            if not isinstance(value, str):
                raise self.wrong(key, value, "strings")
        return tuple(listed)

    def section(self, key: str) -> "Section":
        """Take a table inside this one; empty if it is absent.

        Raises UsageError ``bad-value`` if the key is not a table.
        """
        return Section(self.file, self._below(key), self.take(key, dict) or {})

    def sections(self, key: str) -> list["Section"]:
        """Take a list of tables inside this one; empty if it is absent.

        Raises UsageError ``bad-value`` if the key is not a list of tables.
        """
        found = self.take(key, list) or []
        for value in found:
            if not isinstance(value, dict):
                raise self.wrong(key, value, "tables")
        return [
            Section(self.file, f"{self._below(key)} {number}", value)
            for number, value in enumerate(found, 1)
        ]

    def done(self) -> None:
        """Raise UsageError ``unknown-key``, with the nearest known key, if a key was not taken."""
        for key in self._values:
            close = difflib.get_close_matches(key, self._taken, n=1)
            hint = f"the nearest is {close[0]}; " if close else ""
            raise UsageError(
                f"{self._place}: unknown key {key}; {hint}known keys are "
                f"{', '.join(dict.fromkeys(self._taken))}",
                "unknown-key",
            )

    def wrong(self, key: str, value: object, expected: str) -> UsageError:
        """The error for a key whose value is not as expected; code ``bad-value``."""
        return UsageError(
            f"{self._place}: {key}: expected {expected}, found {value!r}", "bad-value"
        )

    def _below(self, key: str) -> str:
        return f"{self.name}.{key}" if self.name else key

    @property
    def _place(self) -> str:
        return f"{self.file}: [{self.name}]" if self.name else self.file


def read_toml(path: Path) -> Section:
    """Read a settings file and return its top table.

    Raises UsageError ``unreadable-settings`` or ``bad-settings``.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
        if len(data) > _MAX_BYTES:
            raise UsageError(f"{path}: more than {_MAX_BYTES} bytes of settings", "bad-settings")
        return Section(str(path), "", tomllib.loads(data.decode()))
    except OSError as error:
        raise UsageError(
            f"{path}: cannot be read: {reason_of(error)}",
            "unreadable-settings",
        ) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"{path}: not TOML: {error}", "bad-settings") from error
