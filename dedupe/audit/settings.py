"""What an audit reads, keeps and writes: the table ``audit`` of dedupe.toml."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from dedupe.analysis.amounts import moment
from dedupe.analysis.check import CheckSettings
from dedupe.analysis.check.settings import check_settings
from dedupe.errors import UsageError
from dedupe.formats.toml import Section, read_toml
from dedupe.installed import locate_pages


class Report(StrEnum):
    """What an audit can write, each into a file of its own."""

    HTML = "html"
    JSON = "json"
    MARKDOWN = "markdown"
    CSV = "csv"
    SARIF = "sarif"
    #: metrics, for the text-file collector of a node exporter
    OPENMETRICS = "openmetrics"
    #: what the rules found
    CHECK = "check"
    CHECK_MARKDOWN = "check_markdown"


@dataclass(frozen=True, slots=True)
class Audit:
    """One audit's orders."""

    sources: tuple[str, ...]
    #: folder of the lock and the history
    state: Path
    catalog: Path
    platform: str
    #: globs of names; none for all
    images: tuple[str, ...]
    #: worker processes; None for one a core
    jobs: int | None
    #: an age; scans that are older go
    keep: str | None
    #: a command and its arguments, to be told of the end
    notify: tuple[str, ...]
    reports: Mapping[Report, Path]
    check: CheckSettings


def read_audit(path: Path) -> Audit:
    """The audit that a dedupe.toml describes; paths are taken from the folder that it is in.

    Raises UsageError: ``unknown-key``, ``bad-value``, ``bad-settings``, ``unreadable-settings``.
    """
    top = read_toml(path)
    if "audit" not in top:
        shown_in = locate_pages("docs/audit.md")
        raise UsageError(f"{path}: no table [audit]: {shown_in} shows one", "no-audit")
    check = check_settings(top.section("check"))
    section = top.section("audit")
    top.done()
    folder = path.absolute().parent
    sources = section.texts("sources")
    state = section.take("state", str)
    if not sources or not state:
        missing = "state" if sources else "sources"
        raise UsageError(f"{path}: [audit]: {missing} is missing", "bad-value")
    catalog = section.take("catalog", str)
    reports = section.section("reports")
    found = Audit(
        sources=tuple(each if "://" in each else str(_place(folder, each)) for each in sources),
        state=_place(folder, state),
        catalog=_place(folder, catalog) if catalog else _place(folder, state) / "catalog",
        platform=section.take("platform", str) or "",
        images=section.texts("images"),
        jobs=section.take("jobs", int) or None,
        keep=section.take("keep", str),
        notify=_command(section),
        reports={
            kind: _place(folder, text)
            for kind in Report
            if (text := reports.take(kind.value, str)) is not None
        },
        check=check,
    )
    for each in (reports, section):
        each.done()
    if found.keep is not None:
        _checked_age(section, found.keep)
    return found


def command_of(text: str) -> tuple[str, ...]:
    """A command line split into words as a shell would, with nothing else of a shell."""
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise UsageError(f"{text}: no command: {str(error).lower()}", "bad-command") from None
    if not words:
        raise UsageError("the command to notify is empty", "bad-command")
    return words


def _command(section: Section) -> tuple[str, ...]:
    found = section.take("notify", str, list)
    if isinstance(found, str):
        return command_of(found)
    for word in found or ():
        if not isinstance(word, str):
            raise section.wrong("notify", word, "texts")
    return tuple(found or ())


def _checked_age(section: Section, text: str) -> None:
    try:
        moment(text, datetime.now(UTC).replace(tzinfo=None))
    except UsageError:
        raise section.wrong("keep", text, "an age as 90d, 12w or 1y, or a date") from None


def _place(folder: Path, text: str) -> Path:
    return folder / Path(text).expanduser()
