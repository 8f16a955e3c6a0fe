"""Findings as SARIF 2.1.0, for code scanning and for editors that show such results.

A kind of finding is a rule, a finding is a result. Its place is a path in the image's file system
(an artifact below the base ``ROOTFS``) where it has one, else the image, and the layer as a logical
location. What went wrong while scanning is a notification of the run. Consumers show what they are
given in their own ways, so a message has its brackets and braces escaped as the standard asks:
text of an image can be neither link nor placeholder.
Source: SARIF 2.1.0, sections 3.11 (message), 3.27 (result), 3.28 (location), 3.58 (notification).
"""

import json
import re
import time
from typing import Any
from urllib.parse import quote

from dedupe import __version__
from dedupe.analysis import queries
from dedupe.analysis.overview import Overview
from dedupe.model.paths import path_bytes
from dedupe.report.kinds import KINDS
from dedupe.report.units import counted, human

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
#: what paths are relative to; where it lies on disk nobody knows
_BASE = "ROOTFS"
#: an image has no end of paths, a finding names up to five
_PROPERTIES = (
    *("saves_bytes", "size_bytes", "files", "images", "image", "position", "step"),
    *("other_position", "other_step", "fields", "paths", "repair"),
)


def render(found: Overview, limit: int) -> str:
    """One log with one run; at most ``limit`` findings, those that win most; 0 for all."""
    shown = found.findings[:limit] if limit else found.findings
    run = {
        "tool": {
            "driver": {
                "name": "dedupe",
                "semanticVersion": __version__,
                "rules": [_rule(kind) for kind in KINDS],
            }
        },
        "invocations": [_invocation(found)],
        "originalUriBaseIds": {
            _BASE: {"description": {"text": "The root of the file system of an image."}}
        },
        "results": [_result(row) for row in shown],
        "properties": {
            "scan": found.scan["scan"],
            "totals": found.totals,
            "findings_left_out": len(found.findings) - len(shown),
        },
    }
    log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2, ensure_ascii=False) + "\n"


def _rule(kind: str) -> dict[str, Any]:
    what, wins = KINDS[kind]
    return {
        "id": kind,
        "shortDescription": {"text": _message(f"{_sentence(what)}.")},
        "fullDescription": {"text": _message(f"{_sentence(what)}. Mending it wins {wins}.")},
        "help": {"text": _message(f"{_sentence(what)}. Each finding says how it is mended.")},
        "defaultConfiguration": {"level": "warning"},
    }


def _result(row: queries.FindingsRow) -> dict[str, Any]:
    others = f" and {counted(row['images'] - 1, 'more image')}" if row["images"] > 1 else ""
    return {
        "ruleId": row["kind"],
        "ruleIndex": list(KINDS).index(row["kind"]),
        # what other images still read is not won, and is none the worse for that
        "level": "warning" if row["saves_bytes"] else "note",
        "message": {
            "text": _message(
                f"{human(row['saves_bytes'])} to win: {counted(row['files'], 'file')} "
                f"({human(row['size_bytes'])}) in layer {row['position']} of "
                f"{row['image']}{others}. To mend: {row['repair']}."
            )
        },
        "locations": _locations(row),
        "partialFingerprints": {"finding/v1": row["id"]},
        "properties": {name: value for name, value in row.items() if name in _PROPERTIES},
    }


def _locations(row: queries.FindingsRow) -> list[dict[str, Any]]:
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
            # code scanning shows no result without a line; files of images have none to name
            "physicalLocation": {"artifactLocation": artifact, "region": {"startLine": 1}},
            "logicalLocations": [layer],
        }
        for artifact in artifacts
    ]


def _invocation(found: Overview) -> dict[str, Any]:
    """How the scan went; it failed where something was skipped, as its exit code says."""
    moments = {
        name: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
        for name, seconds in (
            ("startTimeUtc", found.scan["started"]),
            ("endTimeUtc", found.scan["finished"]),
        )
    }
    return {
        **moments,
        "executionSuccessful": all(row["severity"] != "error" for row in found.problems),
        "toolExecutionNotifications": [
            {
                "descriptor": {"id": row["code"]},
                "level": row["severity"],
                "message": {"text": _message(f"{row['source']}: {row['message']}")},
            }
            for row in found.problems
        ],
    }


def _message(text: str) -> str:
    """Plain text in which nothing is a link or a placeholder."""
    return re.sub(r"[{}]", r"\g<0>\g<0>", re.sub(r"[][]", r"\\\g<0>", text))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
