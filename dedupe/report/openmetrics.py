r"""Figures of a scan as metrics, for the text-file collector of Prometheus' node exporter.

The text is OpenMetrics 1.0 and also Prometheus' older text format, which is the only one that the
collector reads. So all metrics are gauges (the older format has no ``info``), there are no time
stamps (the collector refuses them), and units are comments.

The number of series grows with sources and repositories, never with images, layers or files; use
``dedupe query`` for those. The text of a label is foreign: backslash, quote and newline are escaped
as both formats demand.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from dedupe.analysis import queries
from dedupe.analysis.check import CheckResult, Verdict
from dedupe.analysis.overview import Metrics, Overview, shadowed_totals
from dedupe.model.measures import (
    CONTAINERS,
    REPOSITORIES,
    SOURCES,
    TOTALS,
    ContainerKey,
    RepositoryKey,
)

_Samples = Iterable[tuple[dict[str, str], float]]

#: column -> metric, whose unit is unpacked bytes anyway
_REPOSITORY_METRICS: dict[RepositoryKey, str] = {
    "exclusive_unpacked": "exclusive_bytes",
    "attributed_unpacked": "attributed_bytes",
    "dead_bytes": "dead_bytes",
    "images": "images",
}
_CONTAINER_METRICS: tuple[ContainerKey, ...] = (
    "upper_bytes",
    "copied_up_bytes",
    "metadata_only_bytes",
    "hidden_bytes",
)
_VERDICTS = {
    Verdict.SKIPPED: -1,
    Verdict.PASSED: 0,
    Verdict.WARNED: 1,
    Verdict.FAILED: 2,
    Verdict.CANNOT_JUDGE: 3,
}


def to_openmetrics(metrics: Metrics, checked: CheckResult | None = None) -> str:
    """All metric families, those of a check too if there was one, and the mark of the end."""
    found = metrics.found
    families = [
        *_scan(found),
        *(_gauge(key, each.sentence, found.totals[key]) for key, each in TOTALS.items()),
        _causes(found.images),
        *_sources(found.sources),
        _disk(found.disk),
        *_repositories(metrics.repositories),
        *_findings(found.findings),
        *_containers(found.containers),
        *(_check(checked) if checked else ()),
    ]
    return "".join(families) + "# EOF\n"


def _scan(found: Overview) -> Iterator[str]:
    scan = found.scan
    finished, seconds = scan["finished"], scan["finished"] - scan["started"]
    problems = Counter((row["severity"], row["code"]) for row in found.problems)
    yield _gauge("scan_finished_timestamp_seconds", "When the scan ended.", finished)
    yield _gauge("scan_duration_seconds", "How long the scan took.", round(seconds, 3))
    yield _gauge("scan_layers_read", "Layers that the scan read.", scan["layers_read"])
    yield _gauge(
        "scan_layers_reused",
        "Layers that the scan reused from the catalog.",
        scan["layers_reused"],
    )
    yield _gauge(
        "sources_unseen_references",
        "Sources of which references could not be read, so that unreferenced bytes are unknown.",
        sum(row["unseen_references"] is not None for row in found.sources),
    )
    yield _family(
        "incomplete_images_by_problem",
        "Incomplete images by the problem that kept a layer from being read.",
        (({"code": row["code"]}, row["images"]) for row in found.incomplete),
    )
    yield _family(
        "scan_problems",
        "Problems of the scan.",
        (
            ({"severity": severity, "code": code}, count)
            for (severity, code), count in sorted(problems.items())
        ),
    )


def _causes(images: Sequence[queries.ImagesRow]) -> str:
    """Left out if no image is complete: nothing is known of any."""
    is_known = not images or any(row["complete"] for row in images)
    return _family(
        "shadowed_by_cause_bytes",
        "Shadowed bytes by what hides them, every complete image in full.",
        (
            ({"cause": cause}, size_bytes)
            for cause, size_bytes in shadowed_totals(images).items()
            if is_known and size_bytes is not None
        ),
    )


def _sources(rows: Sequence[queries.SourcesRow]) -> Iterator[str]:
    for key, measure in SOURCES.items():
        yield _family(
            f"source_{key}",
            measure.sentence,
            (
                ({"source": row["location"], "kind": row["kind"]}, value)
                for row in rows
                if (value := row[key]) is not None
            ),
        )
    yield _family(
        "source_stale",
        "1 if the last scan that was to read the source could not, 0 otherwise.",
        (
            (
                {"source": row["location"], "kind": row["kind"]},
                float(row["stale_since"] is not None),
            )
            for row in rows
        ),
    )


def _disk(rows: Sequence[queries.DiskRow]) -> str:
    return _family(
        "disk_bytes",
        "Bytes that the file system allocates, by kind; what is in no source has the folder that "
        "was scanned as its source.",
        (
            ({"source": row["source"], "kind": row["kind"]}, size_bytes)
            for row in rows
            if (size_bytes := row["allocated_bytes"]) is not None
        ),
    )


def _repositories(rows: Sequence[queries.UsageGroupsRow]) -> Iterator[str]:
    for key, name in _REPOSITORY_METRICS.items():
        yield _family(
            f"repository_{name}",
            REPOSITORIES[key].sentence,
            (
                ({"repository": row["name"]}, value)
                for row in rows
                if (value := row[key]) is not None
            ),
        )


def _findings(rows: Sequence[queries.FindingsRow]) -> Iterator[str]:
    counts = Counter(row["kind"] for row in rows)
    saves: Counter[str] = Counter()
    for row in rows:
        saves[row["kind"]] += row["saves_bytes"]
    kinds = sorted(counts)
    yield _family(
        "findings",
        "Findings of a kind.",
        (({"kind": kind}, counts[kind]) for kind in kinds),
    )
    yield _family(
        "finding_saves_bytes",
        "Bytes that fixing the findings of a kind saves; kinds overlap, so they do not add up.",
        (({"kind": kind}, saves[kind]) for kind in kinds),
    )


def _containers(rows: Sequence[queries.ContainersRow]) -> Iterator[str]:
    yield _gauge("containers", "Containers with a writable branch.", len(rows))
    for key in _CONTAINER_METRICS:
        values = [value for row in rows if (value := row[key]) is not None]
        # a sum without the containers that could not be read would be too small
        total = sum(values) if len(values) == len(rows) else None
        yield _gauge(f"container_{key}", CONTAINERS[key].sentence, total)


def _check(checked: CheckResult) -> Iterator[str]:
    """One gauge per rule, in the rule's own unit."""
    worst = [(each.rule.name, each.worst) for each in checked.outcomes if each.worst]
    yield _family(
        "check_verdict",
        "Verdict on a rule: 0 passed, 1 warned, 2 failed, 3 cannot judge, -1 skipped.",
        (({"rule": each.rule.name}, _VERDICTS[each.verdict]) for each in checked.outcomes),
    )
    yield _family(
        "check_value",
        "Value that is the nearest to the rule's limit, or the farthest beyond it.",
        (({"rule": rule}, breach.value) for rule, breach in worst if breach.value is not None),
    )
    yield _family(
        "check_threshold",
        "Limit of that value.",
        (({"rule": rule}, breach.limit) for rule, breach in worst if breach.limit is not None),
    )


def _gauge(name: str, text: str, value: float | None) -> str:
    """One metric with one sample; left out if its value is unknown."""
    return _family(name, text, [({}, value)] if value is not None else [])


def _family(name: str, text: str, samples: _Samples) -> str:
    """One metric with its samples; empty if there are none."""
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
