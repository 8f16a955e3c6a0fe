"""Findings as SARIF 2.1.0, for code scanning and for editors that show such results.

A kind of finding is a rule, and a finding is a result. The place of a result is a path in the
image's file system (an artifact below the base ``ROOTFS``) or the image if no path is concerned,
and the layer as a logical location. A problem of the scan is a notification of the run. Messages
escape brackets and braces as the standard demands, so text of an image can be neither a link nor a
placeholder, however a consumer shows it.
Source: SARIF 2.1.0, sections 3.11 (message), 3.27 (result), 3.28 (location), 3.58 (notification).
"""

import re
import time
from urllib.parse import quote

from dedupe import __version__
from dedupe.analysis import queries
from dedupe.analysis.overview import Overview
from dedupe.model.findings import FindingKind
from dedupe.model.paths import path_bytes
from dedupe.report.doubts import concerned, doubts
from dedupe.report.text import json_document
from dedupe.report.units import counted, human

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
#: the root of an image's file system, which has no place on disk that is known
_BASE = "ROOTFS"
_PROPERTIES = (
    *("saves_bytes", "size_bytes", "files", "images", "image", "position", "step"),
    *("other_position", "other_step", "fields", "paths", "fix"),
)
#: kind -> place among the rules
_RULE_INDEX: dict[str, int] = {kind: index for index, kind in enumerate(FindingKind)}

_Object = dict[str, object]


def to_sarif(found: Overview, limit: int) -> str:
    """One log with one run; at most ``limit`` findings, those that save most; 0 for all."""
    shown = found.findings[: limit or None]
    run = {
        "tool": {
            "driver": {
                "name": "dedupe",
                "semanticVersion": __version__,
                "rules": [_rule(kind) for kind in FindingKind],
            }
        },
        "invocations": [_invocation(found)],
        "originalUriBaseIds": {
            _BASE: {"description": {"text": "The root of the file system of an image."}}
        },
        "results": [_result(row) for row in shown],
        "properties": {
            "scan": found.scan["scan"],
            "incompleteImages": found.totals["incomplete_images"],
            "incomplete": doubts(found.incomplete, found.sources, found.failed),
            "totals": found.totals,
            "findings_left_out": len(found.findings) - len(shown),
        },
    }
    return json_document({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]})


def _rule(kind: FindingKind) -> _Object:
    meaning = f"{kind.meaning[:1].upper()}{kind.meaning[1:]}."
    return {
        "id": kind.value,
        "shortDescription": {"text": _message(meaning)},
        "fullDescription": {"text": _message(f"{meaning} A fix saves {kind.saved}.")},
        "help": {"text": _message(f"{meaning} Each finding names its fix.")},
        "defaultConfiguration": {"level": "warning"},
    }


def _result(row: queries.FindingsRow) -> _Object:
    others = f" and {counted(row['images'] - 1, 'more image')}" if row["images"] > 1 else ""
    return {
        "ruleId": row["kind"],
        # the standard's value for a rule that is not listed; no kind of finding is without one
        "ruleIndex": _RULE_INDEX.get(row["kind"], -1),
        # if other images still read all the bytes, a fix saves nothing here
        "level": "warning" if row["saves_bytes"] else "note",
        "message": {
            "text": _message(
                f"A fix saves {human(row['saves_bytes'])}: {counted(row['files'], 'file')} "
                f"({human(row['size_bytes'])}) in layer {row['position']} of "
                f"{row['image']}{others}. Fix: {row['fix']}."
            )
        },
        "locations": _locations(row),
        "partialFingerprints": {"finding/v1": row["id"]},
        "properties": {name: value for name, value in row.items() if name in _PROPERTIES},
    }


def _locations(row: queries.FindingsRow) -> list[_Object]:
    layer = {
        "name": f"layer {row['position']}",
        "fullyQualifiedName": f"{row['image']}/layer {row['position']}",
        "kind": "namespace",
    }
    artifacts = [
        {"uri": quote(path_bytes(path.lstrip("/")), safe="/"), "uriBaseId": _BASE}
        for path in row["paths"]
    ] or [{"uri": quote(row["image"], safe="/")}]
    return [
        {
            # code scanning shows no result without a line, although files of images have none
            "physicalLocation": {"artifactLocation": artifact, "region": {"startLine": 1}},
            "logicalLocations": [layer],
        }
        for artifact in artifacts
    ]


def _invocation(found: Overview) -> _Object:
    """How the scan ended; it failed if something was skipped, as its exit code says."""
    moments = {
        name: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
        for name, seconds in (
            ("startTimeUtc", found.scan["started"]),
            ("endTimeUtc", found.scan["finished"]),
        )
    }
    return {
        **moments,
        "executionSuccessful": not found.is_partial
        and not found.is_old
        and all(row["severity"] != "error" for row in found.problems),
        "toolExecutionNotifications": [
            *(
                {
                    "descriptor": {"id": "incomplete"},
                    "level": "error",
                    "message": {"text": _message(line)},
                }
                for line in doubts(found.incomplete, found.sources, found.failed)
            ),
            *(
                {
                    "descriptor": {"id": row["code"]},
                    "level": row["severity"],
                    "message": {
                        "text": _message(
                            f"{row['source']}: {row['message']}{concerned(row['images'])}"
                        )
                    },
                }
                for row in found.problems
            ),
        ],
    }


def _message(text: str) -> str:
    """Plain text in which nothing is a link or a placeholder."""
    return re.sub(r"[{}]", r"\g<0>\g<0>", re.sub(r"[][]", r"\\\g<0>", text))
