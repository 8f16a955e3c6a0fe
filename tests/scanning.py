"""A scan from paths to a session, as the commands do it."""

from collections.abc import Sequence
from pathlib import Path

from dedupe.model.outcome import ScanOutcome
from dedupe.scan import scan_sources
from dedupe.sources.discover import Selection, discover
from dedupe.store.catalog import Catalog
from dedupe.store.session import Session


class Silence:
    """Progress that nobody watches."""

    def start(self, layers: int, blob_bytes: int) -> None:
        pass

    def advance(self, blob_bytes: int) -> None:
        pass

    def layer_done(self) -> None:
        pass


def scanned(
    catalog: Path, *paths: Path | str, verify: bool = False, select: Selection = Selection()
) -> tuple[ScanOutcome, Session]:
    """Scan these paths into a catalog, and open it."""
    return scan_only(catalog, *paths, verify=verify, select=select), Session(catalog)


def scan_only(
    catalog: Path, *paths: Path | str, verify: bool = False, select: Selection = Selection()
) -> ScanOutcome:
    """Scan these paths into a catalog."""
    return scan_sources(
        discover(paths, select), Catalog(catalog), Silence(), workers=2, verify=verify
    )


def codes(outcome: ScanOutcome) -> Sequence[str]:
    """Codes of all problems, sorted."""
    return sorted(problem.code for problem in outcome.problems)
