"""The command that shows what takes the disk space, and who uses a file or folder of a store."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dedupe.cli.options import (
    BytesOption,
    CatalogOption,
    ExplainOption,
    OutputOption,
    ScanOption,
    SortOption,
    SourceOption,
)
from dedupe.cli.tables import (
    TableFormat,
    TableFormatOption,
    TableOptions,
    explanation,
    open_session,
    show,
)
from dedupe.errors import SourceError, StoreError
from dedupe.model.disk import PlaceKind

if TYPE_CHECKING:
    from dedupe.analysis.queries import DiskRootsRow
    from dedupe.model.questions import Answer, AnyQuestion
    from dedupe.store.session import Session

#: errors of a catalog that has nothing yet
_EMPTY = frozenset({"no-catalog", "no-scan"})
#: rows of owners and places, and holders of one place, unless --limit says otherwise
_MOST_ROWS = 20


class DiskBy(StrEnum):
    """What a row is about."""

    KIND = "kind"
    OWNER = "owner"
    PLACE = "place"


def disk(
    path: Annotated[
        str,
        typer.Argument(
            metavar="PATH",
            show_default=False,
            help="A store, or any file or folder in one (default: all that was scanned).",
        ),
    ] = "",
    by: Annotated[
        DiskBy | None,
        typer.Option(
            "--by",
            help="One row per kind of data, per owner, or per file and folder (default: kind; in a "
            "source: owner).",
        ),
    ] = None,
    kind: Annotated[
        list[PlaceKind] | None,
        typer.Option(
            "--kind",
            metavar="KIND",
            help="Only this kind, such as layer, log, volume or orphan; repeat it (docs/disk.md "
            "lists all).",
        ),
    ] = None,
    catalog: CatalogOption = None,
    scan: ScanOption = None,
    source: SourceOption = None,
    format: TableFormatOption = TableFormat.TABLE,
    output: OutputOption = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            min=0,
            metavar="ROWS",
            help=f"Maximum number of rows (0 = no limit; default: {_MOST_ROWS} owners or places in "
            "text).",
        ),
    ] = None,
    sort: SortOption = None,
    plain: BytesOption = False,
    explain: ExplainOption = False,
) -> None:
    """Show what takes the disk space, in rows that add up to what du counts.

    With a PATH in a store, such as overlay2/ID: the image, container or volume that it belongs to,
    and the commands that free it. A PATH that was never scanned is scanned first.
    """
    found = _Found.of(path, catalog, scan, source)
    kinds = [each.value for each in kind or ()]
    is_long = format is TableFormat.TABLE and found.grouping(by) is not DiskBy.KIND
    rows = limit if limit is not None else _MOST_ROWS if is_long else 0
    options = TableOptions(format, output, rows, sort, plain)
    if explain:
        typer.echo(explanation(found.question(by, kinds)))
    elif found.names and not (by or kinds) and found.is_in_one_place:
        found.show_owner(options)
    else:
        found.show_rows(by, kinds, options)
    if found.code:
        raise typer.Exit(found.code)


@dataclass(frozen=True, slots=True)
class _Found:
    """What the command is about."""

    session: "Session"
    #: the names by which sources know the path; empty without one
    names: "Sequence[str]"
    roots: "Sequence[DiskRootsRow]"
    #: exit code of the scan that the path needed
    code: int

    @classmethod
    def of(
        cls, path: str, catalog: Path | None, scan: str | None, sources: list[str] | None
    ) -> "_Found":
        """Open the catalog, after a scan of the path if it was never scanned.

        Raises StoreError and SourceError, and typer.Exit if the scan found nothing there.
        """
        from dedupe.host.objects import is_address

        code = 0
        may_scan = bool(path) and not (scan or sources or is_address(path))
        try:
            found = cls._opened(path, open_session(catalog, scan, sources), code)
        except StoreError as error:
            if error.code not in _EMPTY or not may_scan:
                raise
            found = None
        if may_scan and not (found and found.names):
            code = _scan(path, catalog)
            found = cls._opened(path, open_session(catalog, scan, sources), code)
        if found is None or (path and not found.names):
            if code:
                # the scan has said why
                raise typer.Exit(code)
            why = ": an object store has none" if is_address(path) else ""
            raise StoreError(f"{path}: no disk usage of it is known{why}", "not-measured")
        return found

    @classmethod
    def _opened(cls, path: str, session: "Session", code: int) -> "_Found":
        from dedupe.analysis import queries
        from dedupe.analysis.disk import names_of

        roots = session.rows(queries.disk_roots())
        return cls(session, names_of(path, roots) if path else [], roots, code)

    @property
    def below(self) -> str:
        """The path that rows are limited to; empty for all."""
        return self.names[0] if self.names else ""

    @property
    def is_in_one_place(self) -> bool:
        """Whether the path is in one place, so that its owner is to be shown."""
        from dedupe.analysis.disk import is_in_one_place

        return is_in_one_place(self.session, self.below, self.roots)

    @property
    def is_inside(self) -> bool:
        """Whether the path is in a source, and not a source or above one."""
        return bool(self.names) and all(row["location"] != self.below for row in self.roots)

    def question(self, by: DiskBy | None, kinds: list[str]) -> "AnyQuestion":
        """The question about the owner of a path, or about rows of this grouping."""
        from dedupe.analysis import queries

        if self.names and not (by or kinds) and self.is_in_one_place:
            return queries.disk_owner(paths=self.names)
        chosen = self.grouping(by)
        if chosen is DiskBy.PLACE:
            return queries.disk_places(kinds=kinds, below=self.below)
        return queries.disk(by=chosen.value, kinds=kinds, below=self.below)

    def grouping(self, by: DiskBy | None) -> DiskBy:
        """The grouping that was chosen, or that suits the path."""
        return by or (DiskBy.OWNER if self.is_inside else DiskBy.KIND)

    def show_owner(self, options: TableOptions) -> None:
        """Write the place that the path is in, what keeps it, and what frees it."""
        from dedupe.analysis.disk import path_owner
        from dedupe.report.disk import owner_to_terminal, path_doubts

        owner = path_owner(self.session, self.names)
        head = self._doubts(options, path_doubts(owner))
        answer = self.session.answer(self.question(None, []))
        is_text = options.format is TableFormat.TABLE
        # all rows say the same of the place, and the text says how many holders it leaves out
        show(
            answer,
            replace(options, limit=0) if is_text else options,
            lambda _: head + owner_to_terminal(owner, options.limit, plain=options.plain),
        )

    def show_rows(self, by: DiskBy | None, kinds: list[str], options: TableOptions) -> None:
        """Write rows of a grouping, and where the rest of a folder counts."""
        from dedupe.analysis.disk import path_owner
        from dedupe.report.disk import WRITERS, rest_line

        answer = self.session.answer(self.question(by, kinds))
        head = self._doubts(options, [])
        rest = ""
        if self.is_inside and not kinds:
            rest = rest_line(path_owner(self.session, self.names))

        def text(shown: "Answer") -> str:
            return (
                head
                + WRITERS[self.grouping(by)](
                    answer, shown, plain=options.plain, whole=not (kinds or self.is_inside)
                )
                + rest
            )

        show(answer, options, text)

    def _doubts(self, options: TableOptions, more: list[str]) -> str:
        """What is stale or could not be read, as the head of a text; else on standard error."""
        from dedupe.analysis import queries
        from dedupe.analysis.disk import is_at_or_below
        from dedupe.report.doubts import doubts

        def concerns(location: str) -> bool:
            return is_at_or_below(location, self.below) or is_at_or_below(self.below, location)

        sources = self.session.rows(queries.sources())
        failed = self.session.rows(queries.failed_places())
        if self.below:
            sources = [row for row in sources if concerns(row["location"])]
            failed = [row for row in failed if concerns(row["place"])]
        lines = [*doubts([], sources, failed, contents=False), *more]
        if options.format is TableFormat.TABLE:
            return "".join(f"INCOMPLETE: {line}.\n" for line in lines)
        for line in lines:
            typer.echo(f"dedupe: incomplete: {line}", err=True)
        return ""


def _scan(path: str, catalog: Path | None) -> int:
    """Scan a path for its disk usage; returns the exit code of the scan.

    Raises SourceError if there is no such path: a scan would keep that it found nothing there.
    """
    from dedupe.cli.scan import scan

    if not os.path.lexists(path):
        raise SourceError(f"{path}: no such file or directory", "no-such-source")
    typer.echo(f"dedupe: {path} was never scanned: reading it first", err=True)
    try:
        scan([path], catalog=catalog, quiet=True, quick=True)
    except typer.Exit as ended:
        return ended.exit_code
    return 0
