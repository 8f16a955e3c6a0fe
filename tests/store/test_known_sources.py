"""The sources of the current view, as a scan finds them without asking a question."""

import tempfile
from pathlib import Path

import polars as pl
from helpers.examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from dedupe.store.bulk import write_scan
from dedupe.store.catalog import Catalog
from dedupe.store.known_sources import known_sources
from dedupe.store.opening import current_sources

SOURCES = ("/a", "/b", "/c")
#: what a scan found of a source
FATES = st.sampled_from(["readable", "unreadable", "gone", "not named"])


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(st.fixed_dictionaries(dict.fromkeys(SOURCES, FATES)), min_size=1, max_size=5))
def test_known_sources_are_those_of_the_current_view(scans: list[dict[str, str]]) -> None:
    """Unreadable sources stay and deleted ones do not, whatever happened to them before."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        Catalog(folder)
        assert known_sources(folder) == []
        for number, fates in enumerate(scans):
            scan = f"2026010{number + 1}T000000.000000Z-0000"
            read = [source for source in SOURCES if fates[source].endswith("readable")]
            gone = [source for source in SOURCES if fates[source] == "gone"]
            states = [fates[source] == "readable" for source in read]
            tables = {
                "scans": pl.DataFrame(
                    {"scan": [scan], "finished": [float(number)], "gone": [gone]},
                    schema_overrides={"gone": pl.List(pl.String)},
                ),
                "sources": pl.DataFrame(
                    {"source": read, "readable": states},
                    schema={"source": pl.String, "readable": pl.Boolean},
                ).with_columns(scan=pl.lit(scan)),
            }
            write_scan(folder, scan, tables)
        expected = [each.source for each in current_sources(folder)]
        assert known_sources(folder) == expected
