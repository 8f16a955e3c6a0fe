r"""Figures of a scan as metrics, for the text-file collector of Prometheus' node exporter.

The text is OpenMetrics 1.0 and at the same time Prometheus' older text format, which is all that
the collector reads: there are gauges only (no ``info``, which it does not know), no time stamps
(which it refuses), and units stand in comments of the older format.

The number of series grows with sources and repositories, never with images, layers or files: those
are for ``dedupe query``. The text of a label is foreign; backslash, quote and newline are escaped
as both formats ask.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from dedupe.analysis import queries
from dedupe.analysis.metrics import Metrics
from dedupe.model.measures import CAUSES, Key

Samples = Iterable[tuple[dict[str, str], float]]

#: key of the totals -> what it means
_TOTALS: dict[Key, str] = {
    "images": "Images, each once.",
    "cache_images": "Untagged images that are a prefix of another.",
    "incomplete_images": "Images of which some layer could not be read.",
    "layers": "Distinct layers that some image references.",
    "entries": "Entries of these layers.",
    "files": "Regular files of these layers.",
    "stored_bytes": "On disk in all sources, copies counted.",
    "compressed_bytes": "Distinct blobs as stored.",
    "layer_bytes": "Content of distinct layers.",
    "unpacked_bytes": "Content of distinct layers in their place.",
    "naive_bytes": "Every image in full, nothing shared.",
    "live_bytes": "What containers can read, every image in full.",
    "shadowed_bytes": "What containers cannot read, every image in full.",
    "cow_savings_bytes": "What sharing read-only layers saves.",
    "position_loss_bytes": "The same layer again on another parent.",
    "unique_content_bytes": "Distinct file contents.",
    "duplicate_content_bytes": "The same files again in other layers.",
    "dead_bytes": "Files that no container of any image can read.",
    "orphan_bytes": "Blobs that no manifest names.",
}
_SOURCES = {
    "stored_bytes": "What a source holds on disk.",
    "orphan_bytes": "Of a source, blobs that no manifest names.",
    "allocated_bytes": "What the file system gives to an unpacked store.",
    "other_bytes": "Of an unpacked store, what is neither blob nor layer nor container.",
    "images": "Images found in a source.",
}
_REPOSITORIES = {
    "exclusive_unpacked": ("exclusive_bytes", "What deleting a repository alone frees, unpacked."),
    "attributed_unpacked": ("attributed_bytes", "A repository's share of what is unpacked."),
    "dead_bytes": ("dead_bytes", "Dead files in layers of no other repository."),
    "images": ("images", "Images with a name in a repository."),
}
_CONTAINERS: dict[
    Literal["upper_bytes", "copied_up_bytes", "metadata_only_bytes", "hidden_bytes"], str
] = {
    "upper_bytes": "Files that containers have written.",
    "copied_up_bytes": "Of these, over a file of the image.",
    "metadata_only_bytes": "Of these, without new data.",
    "hidden_bytes": "Files of images that containers have deleted.",
}


def render(metrics: Metrics) -> str:
    """All metric families, and the mark of the end."""
    found = metrics.found
    scan = found.scan
    problems = Counter((row["severity"], row["code"]) for row in found.problems)
    finished, seconds = scan["finished"], scan["finished"] - scan["started"]
    families = [
        _one("scan_finished_timestamp_seconds", "When the scan ended.", finished),
        _one("scan_duration_seconds", "How long the scan took.", round(seconds, 3)),
        _one("scan_layers_read", "Layers that the scan read.", scan["layers_read"]),
        _one("scan_layers_known", "Layers that the catalog had already.", scan["layers_reused"]),
        _family(
            "scan_problems",
            "Problems of the scan.",
            (
                ({"severity": severity, "code": code}, count)
                for (severity, code), count in sorted(problems.items())
            ),
        ),
        *(_one(key, text, found.totals[key]) for key, text in _TOTALS.items()),
        _family(
            "shadowed_by_cause_bytes",
            "What containers cannot read, by what hides it.",
            (({"cause": cause}, sum(row[cause] for row in found.images)) for cause in CAUSES),
        ),
        *(
            _of_rows("source", key, key, text, found.sources, ("location", "kind"))
            for key, text in _SOURCES.items()
        ),
        *(
            _of_rows("repository", name, key, text, metrics.repositories, ("name",))
            for key, (name, text) in _REPOSITORIES.items()
        ),
        *_findings(found.findings),
        _one("containers", "Containers with a writable branch.", len(found.containers)),
        *(
            _one(f"container_{key}", text, sum(row[key] for row in found.containers))
            for key, text in _CONTAINERS.items()
        ),
    ]
    return "".join(families) + "# EOF\n"


def _findings(rows: Sequence[queries.FindingsRow]) -> tuple[str, str]:
    """Findings by kind; kinds look at the same bytes from different sides."""
    kinds = sorted({row["kind"] for row in rows})
    counts = Counter(row["kind"] for row in rows)
    wins = {kind: sum(row["saves_bytes"] for row in rows if row["kind"] == kind) for kind in kinds}
    return (
        _family("findings", "Findings of a kind.", (({"kind": k}, counts[k]) for k in kinds)),
        _family(
            "finding_saves_bytes",
            "What mending the findings of a kind wins; kinds overlap.",
            (({"kind": kind}, wins[kind]) for kind in kinds),
        ),
    )


def _of_rows(
    thing: str,
    name: str,
    key: str,
    text: str,
    rows: Sequence[Mapping[str, Any]],
    labels: Sequence[str],
) -> str:
    """A sample a row, named as the thing is; what is not known has none."""
    return _family(
        f"{thing}_{name}",
        text,
        (
            (
                {
                    (thing if label in ("name", "location") else label): row[label]
                    for label in labels
                },
                row[key],
            )
            for row in rows
            if row[key] is not None
        ),
    )


def _one(name: str, text: str, value: float) -> str:
    return _family(name, text, [({}, value)])


def _family(name: str, text: str, samples: Samples) -> str:
    """One metric with its samples; nothing for none."""
    full = f"dedupe_{name}"
    unit = next((unit for unit in ("bytes", "seconds") if name.endswith(f"_{unit}")), None)
    lines = [f"{full}{_labels(labels)} {value}\n" for labels, value in samples]
    if not lines:
        return ""
    head = [f"# HELP {full} {text}\n", f"# TYPE {full} gauge\n"]
    return "".join([*head, *([f"# UNIT {full} {unit}\n"] if unit else []), *lines])


def _labels(labels: dict[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items()) + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
