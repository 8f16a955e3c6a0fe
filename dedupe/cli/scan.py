"""The command that reads stores into the catalog."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dedupe.cli.options import CatalogOption
from dedupe.errors import ResourceError, StoreError, UsageError
from dedupe.model.tables import KEEP_FROM_ENTRIES

if TYPE_CHECKING:
    from dedupe.model.advice import Advice
    from dedupe.model.outcome import ScanOutcome


def scan(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH",
            help="Archives, image stores, folders of them, or s3://BUCKET/PREFIX.",
        ),
    ],
    catalog: CatalogOption = None,
    platform: Annotated[
        str,
        typer.Option(
            metavar="PLATFORM",
            help="Scan only images of this platform, such as linux/arm64 (default: all).",
        ),
    ] = "",
    image: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GLOB", help="Scan only images whose name matches; repeat it (default: all)."
        ),
    ] = None,
    also: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="Links of a store may lead into this folder too; repeat it "
            "(default: only into PATH).",
        ),
    ] = None,
    blobs: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="Image layouts may use the blobs DIR/sha256/HEX; repeat it "
            "(default: those found in PATH).",
        ),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read every blob again and compare it with its digest.")
    ] = False,
    rehash: Annotated[
        bool, typer.Option("--rehash", help="Read every layer again and replace its rows.")
    ] = False,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help="Read no file of a layer and open no blob: names, sizes and disk usage only, in "
            "seconds; a later scan without it reads the rest.",
        ),
    ] = False,
    jobs: Annotated[
        int, typer.Option(min=0, metavar="NUMBER", help="Worker processes (0 = one per CPU).")
    ] = 0,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print problems only: no progress, no summary.")
    ] = False,
) -> None:
    """Read image stores and archives into the catalog.

    Each layer is read once: a later scan reads only layers that are new. With --quick, what needs
    the contents of files (duplicates, verification) is unknown until a full scan.
    """
    if quick and (verify or rehash):
        raise UsageError(
            "--quick reads no layer, so it cannot be used with --verify or --rehash", "bad-value"
        )
    outcome = run_scan(
        paths,
        catalog,
        ScanOptions(
            platform=platform,
            images=tuple(image or ()),
            also=tuple(also or ()),
            blobs=tuple(blobs or ()),
            workers=jobs or None,
            verify=verify,
            rehash=rehash,
            quick=quick,
            quiet=quiet,
        ),
    )
    _print_outcome(outcome, catalog, chosen=bool(platform or image), quiet=quiet, brief=quick)
    if outcome.exit_code:
        raise typer.Exit(outcome.exit_code)


@dataclass(frozen=True, slots=True)
class ScanOptions:
    """What to scan of the places that are named, and how."""

    platform: str = ""
    #: globs of names; empty for all images
    images: tuple[str, ...] = ()
    also: tuple[Path, ...] = ()
    blobs: tuple[Path, ...] = ()
    #: worker processes; None for one per CPU
    workers: int | None = None
    verify: bool = False
    rehash: bool = False
    #: whether entries are listed and no content is read
    quick: bool = False
    #: whether progress is not shown
    quiet: bool = False


def run_scan(paths: Sequence[str], catalog: Path | None, options: ScanOptions) -> "ScanOutcome":
    """Scan these places into a catalog, the default one if None, and show the progress."""
    from dedupe.cli.progress import Reporter
    from dedupe.host.places import absolute_place, place_text
    from dedupe.scan import scan_sources
    from dedupe.sources.discover import Selection, discover
    from dedupe.store.catalog import Catalog, default_catalog

    reporter = Reporter(quiet=options.quiet)
    sink = Catalog(catalog or default_catalog())
    chosen = Selection(options.platform, options.images)
    with sink.writing():
        outcome = scan_sources(
            discover(paths, chosen, options.also, options.blobs),
            sink,
            reporter,
            places=[place_text(absolute_place(path)) for path in paths],
            workers=options.workers,
            verify=options.verify,
            rehash=options.rehash,
            quick=options.quick,
        )
    reporter.finish()
    # the scan is complete: a question that cannot be answered says what is wrong
    with contextlib.suppress(StoreError, ResourceError):
        sink.tidy()
        _derive(sink.folder, outcome)
    return outcome


def _derive(catalog: Path, outcome: "ScanOutcome") -> None:
    """Keep what reports need of the layers that were read, unless that takes hardly any time."""
    if not outcome.layers_read:
        return
    from dedupe.store.derived.runs import keeps_any

    if outcome.entries < KEEP_FROM_ENTRIES and not keeps_any(catalog):
        return
    from dedupe.cli.elapsed import ElapsedTime
    from dedupe.store.session import Session

    with contextlib.closing(Session(catalog, waiting=ElapsedTime())) as session:
        session.derive()


def _print_outcome(
    outcome: "ScanOutcome", catalog: Path | None, *, chosen: bool, quiet: bool, brief: bool
) -> None:
    """Print problems, the summary and the next commands on standard error.

    ``brief`` asks the catalog nothing: it would take longer than a quick scan.
    """
    from dedupe.report.scan import incomplete_images, problem_lines, summary

    lines = list(problem_lines(outcome))
    if not quiet:
        lines.append(summary(outcome))
        if outcome.images:
            lines.append(_next_commands(catalog, None if brief else outcome.scan_id))
        elif outcome.sources and chosen:
            lines.append("dedupe: no image matches --platform and --image; drop one of them")
    elif outcome.incomplete_images:
        lines.append(f"dedupe: {incomplete_images(outcome)}")
    for line in lines:
        typer.echo(line, err=True)


def _next_commands(catalog: Path | None, scan: str | None) -> str:
    """The commands to call next; general ones without a scan, or if the catalog cannot be asked."""
    from dedupe.model.advice import GENERAL
    from dedupe.report.advice import to_terminal

    options = ("--catalog", str(catalog)) if catalog else ()
    advised: Sequence[Advice] = GENERAL
    if scan is not None:
        with contextlib.suppress(StoreError):
            advised = _advice(catalog, scan)
    return to_terminal(advised, options)


def _advice(catalog: Path | None, scan: str) -> "list[Advice]":
    """The advice after a scan: that of an earlier one that found the same, or a new one."""
    from dedupe.store.catalog import default_catalog
    from dedupe.store.kept_advice import KeptAdvice

    kept = KeptAdvice(catalog or default_catalog(), scan)
    advised = kept.find()
    if advised is None:
        # loading these takes longer than most scans
        from dedupe.analysis.advice import advice
        from dedupe.cli.tables import open_session

        advised = advice(open_session(catalog, scan))
        kept.keep(advised)
    return advised
