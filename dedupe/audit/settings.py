"""The settings of an audit: the table ``audit`` of dedupe.toml."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dedupe.analysis.check import CheckSettings
from dedupe.analysis.check.settings import check_settings
from dedupe.errors import UsageError
from dedupe.formats.toml import Section, read_toml
from dedupe.installed import locate_pages
from dedupe.model.amounts import moment
from dedupe.report.forms import Form


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """What an audit reads, keeps and writes."""

    sources: tuple[str, ...]
    #: folders that links of stores may lead into besides the sources
    also: tuple[Path, ...]
    #: folders of blobs that image layouts may use
    blobs: tuple[Path, ...]
    #: folder of the lock and the history
    state: Path
    catalog: Path
    platform: str
    #: globs of names; none for all images
    images: tuple[str, ...]
    #: worker processes; None for one per core
    jobs: int | None
    #: an age; older scans are removed; None keeps all
    keep: str | None
    #: a command and its arguments, to start at the end; empty for none
    notify: tuple[str, ...]
    #: form of the report -> file
    reports: Mapping[Form, Path]
    check: CheckSettings


def read_audit(path: Path) -> AuditSettings:
    """Read a dedupe.toml; its paths are relative to the folder that it is in.

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
    found = AuditSettings(
        sources=tuple(each if "://" in each else str(_place(folder, each)) for each in sources),
        also=tuple(_place(folder, each) for each in section.texts("also")),
        blobs=tuple(_place(folder, each) for each in section.texts("blobs")),
        state=_place(folder, state),
        catalog=_place(folder, catalog) if catalog else _place(folder, state) / "catalog",
        platform=section.take("platform", str) or "",
        images=section.texts("images"),
        jobs=section.take("jobs", int) or None,
        keep=section.take("keep", str),
        notify=_command(section),
        reports={
            form: _place(folder, text)
            for form in Form
            if (text := reports.take(form.value, str)) is not None
        },
        check=check,
    )
    for each in (reports, section):
        each.done()
    if found.keep is not None:
        _check_age(section, found.keep)
    return found


def command_of(text: str) -> tuple[str, ...]:
    """Split a command line into words as a shell does; nothing else of a shell applies.

    Raises UsageError ``bad-command`` if it is empty or a quote does not end.
    """
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise UsageError(f"{text}: not a command: {str(error).lower()}", "bad-command") from None
    if not words:
        raise UsageError("the command to notify is empty", "bad-command")
    return words


def _command(section: Section) -> tuple[str, ...]:
    found = section.take("notify", str, list)
    if isinstance(found, str):
        return command_of(found)
    for word in found or ():
        if not isinstance(word, str):
            raise section.wrong("notify", word, "strings")
    return tuple(found or ())


def _check_age(section: Section, text: str) -> None:
    try:
        moment(text, datetime.now(UTC).replace(tzinfo=None))
    except UsageError:
        raise section.wrong("keep", text, "an age like 90d, 12w or 1y, or a date") from None


def _place(folder: Path, text: str) -> Path:
    return folder / Path(text).expanduser()
