"""Sources found and scanned, as the commands do it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from builders import Image, Member, tar_of, write_oci_layout

from dedupe.host.places import absolute_place, place_text
from dedupe.model.images import FoundFolder, FoundSource, Problem, Severity
from dedupe.model.outcome import ScanOutcome
from dedupe.scan import scan_sources
from dedupe.sources.discover import Selection, discover
from dedupe.store.catalog import Catalog
from dedupe.store.session import Session


class Silence:
    """Progress that is not shown."""

    def start(self, layers: int, blob_bytes: int) -> None:
        pass

    def advance(self, blob_bytes: int) -> None:
        pass

    def layer_done(self) -> None:
        pass


def scanned(
    catalog: Path,
    *paths: Path | str,
    verify: bool = False,
    quick: bool = False,
    select: Selection = Selection(),
    also: Sequence[Path] = (),
    blobs: Sequence[Path] = (),
) -> tuple[ScanOutcome, Session]:
    """Scan these paths into a catalog, and open it."""
    outcome = scan_only(
        catalog, *paths, verify=verify, quick=quick, select=select, also=also, blobs=blobs
    )
    return outcome, Session(catalog)


def scan_only(
    catalog: Path,
    *paths: Path | str,
    verify: bool = False,
    quick: bool = False,
    select: Selection = Selection(),
    also: Sequence[Path] = (),
    blobs: Sequence[Path] = (),
) -> ScanOutcome:
    """Scan these paths into a catalog."""
    found = discover(paths, select, also, blobs)
    places = [place_text(absolute_place(path)) for path in paths]
    return scan_sources(
        found,
        Catalog(catalog),
        Silence(),
        places=places,
        workers=2,
        verify=verify,
        quick=quick,
    )


def codes(outcome: ScanOutcome) -> Sequence[str]:
    """Codes of all problems, sorted."""
    return sorted(problem.code for problem in outcome.problems)


def scan_images(folder: Path, images: Collection[Image]) -> Session:
    """Write the images as an OCI layout of plain layers, and scan it."""
    write_oci_layout(folder / "store", list(images), "none")
    return scanned(folder / "catalog", folder / "store")[1]


@dataclass(frozen=True, slots=True)
class Apart:
    """A session on images that share no layer, so that none changes the rows of another."""

    session: Session
    #: by case; they are named ``case0:1``, ``case1:1`` and so on
    images: Mapping[str, Image]
    _asked: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def rows(self, question: str) -> list[dict[str, Any]]:
        """Rows about all images, which are asked for once."""
        if question not in self._asked:
            self._asked[question] = self.session.rows(question)
        return self._asked[question]


def scan_apart(folder: Path, stacks: Mapping[str, Sequence[Sequence[Member]]]) -> Apart:
    """Scan one image per stack, all at once: a session costs far more than a small image."""
    images = {
        case: Image(
            [tar_of(layer, trailer=2 + number) for layer in stack], names=[f"case{number}:1"]
        )
        for number, (case, stack) in enumerate(stacks.items())
    }
    write_oci_layout(folder / "store", list(images.values()), "none")
    outcome, session = scanned(folder / "catalog", folder / "store")
    assert outcome.errors == 0
    return Apart(session, images)


def find_sources(*paths: Path | str) -> list[FoundSource | Problem]:
    """The sources of these paths, without what is beside them."""
    found = discover(paths, Selection())
    return [each for each in found if not isinstance(each, FoundFolder)]


def only_source(*paths: Path) -> FoundSource:
    """The one source of these paths."""
    (source,) = find_sources(*paths)
    assert isinstance(source, FoundSource)
    return source


def error_codes(source: FoundSource) -> list[str]:
    """Codes of a source's errors, sorted."""
    return sorted(problem.code for problem in source.problems if problem.severity is Severity.ERROR)


def figures(session: Session) -> dict[str, list[dict[str, Any]]]:
    """Rows about images, totals and the merged view, without the places of the images."""
    rows = {name: session.rows(name) for name in ("images", "totals", "merged_view")}
    for row in rows["images"]:
        del row["sources"]
    return rows
