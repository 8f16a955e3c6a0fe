"""The SARIF form follows its standard."""

import json
import re
from urllib.parse import unquote_to_bytes

import pytest
from helpers.reports import Reports
from jsonschema import Draft202012Validator

from dedupe.model.paths import path_text

#: the parts of section 3 of the standard that code scanning needs
SARIF = {
    "type": "object",
    "required": ["$schema", "version", "runs"],
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/run"}},
    },
    "additionalProperties": False,
    "$defs": {
        "text": {
            "type": "object",
            "required": ["text"],
            "properties": {"text": {"type": "string", "minLength": 1}},
            "additionalProperties": False,
        },
        "level": {"enum": ["none", "note", "warning", "error"]},
        "run": {
            "type": "object",
            "required": ["tool", "results", "invocations"],
            "properties": {
                "tool": {"properties": {"driver": {"$ref": "#/$defs/driver"}}},
                "results": {"type": "array", "items": {"$ref": "#/$defs/result"}},
                "invocations": {"type": "array", "items": {"$ref": "#/$defs/invocation"}},
                "originalUriBaseIds": {"type": "object"},
                "properties": {"type": "object"},
            },
            "additionalProperties": False,
        },
        "driver": {
            "type": "object",
            "required": ["name", "semanticVersion", "rules"],
            "properties": {
                "name": {"type": "string"},
                "semanticVersion": {"type": "string", "pattern": r"^\d+\.\d+\.\d+"},
                "rules": {
                    "type": "array",
                    "uniqueItems": True,
                    "items": {
                        "type": "object",
                        "required": ["id", "shortDescription", "fullDescription", "help"],
                        "properties": {
                            "id": {"type": "string"},
                            "shortDescription": {"$ref": "#/$defs/text"},
                            "fullDescription": {"$ref": "#/$defs/text"},
                            "help": {"$ref": "#/$defs/text"},
                            "defaultConfiguration": {
                                "properties": {"level": {"$ref": "#/$defs/level"}},
                                "additionalProperties": False,
                            },
                        },
                        "additionalProperties": False,
                    },
                },
            },
            "additionalProperties": False,
        },
        "result": {
            "type": "object",
            "required": ["ruleId", "ruleIndex", "level", "message", "locations"],
            "properties": {
                "ruleId": {"type": "string"},
                "ruleIndex": {"type": "integer", "minimum": 0},
                "level": {"$ref": "#/$defs/level"},
                "message": {"$ref": "#/$defs/text"},
                "locations": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "required": ["physicalLocation", "logicalLocations"],
                        "properties": {
                            "physicalLocation": {
                                "properties": {
                                    "artifactLocation": {
                                        "required": ["uri"],
                                        "properties": {
                                            "uri": {
                                                "type": "string",
                                                "pattern": r"^(?:[\w.~/-]|%[0-9A-F]{2})+$",
                                            },
                                            "uriBaseId": {"const": "ROOTFS"},
                                        },
                                        "additionalProperties": False,
                                    },
                                    "region": {"const": {"startLine": 1}},
                                },
                                "additionalProperties": False,
                            },
                            "logicalLocations": {"type": "array", "minItems": 1},
                        },
                        "additionalProperties": False,
                    },
                },
                "partialFingerprints": {"additionalProperties": {"type": "string"}},
                "properties": {"type": "object"},
            },
            "additionalProperties": False,
        },
        "invocation": {
            "type": "object",
            "required": ["executionSuccessful"],
            "properties": {
                "executionSuccessful": {"type": "boolean"},
                "startTimeUtc": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT[\d:]{8}Z$"},
                "endTimeUtc": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT[\d:]{8}Z$"},
                "toolExecutionNotifications": {
                    "type": "array",
                    "items": {
                        "required": ["message"],
                        "properties": {
                            "descriptor": {"required": ["id"]},
                            "level": {"$ref": "#/$defs/level"},
                            "message": {"$ref": "#/$defs/text"},
                        },
                        "additionalProperties": False,
                    },
                },
            },
            "additionalProperties": False,
        },
    },
}


@pytest.mark.parametrize("store", ["sample", "hostile"])
def test_sarif_follows_its_standard(store: str, request: pytest.FixtureRequest) -> None:
    """A log has the structure of the standard, and each result has the index of its rule."""
    log = json.loads(request.getfixturevalue(store)["sarif"])
    Draft202012Validator.check_schema(SARIF)
    Draft202012Validator(SARIF).validate(log)
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert run["results"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]


def test_sarif_messages_have_no_link_and_places_are_paths(hostile: Reports) -> None:
    """Brackets and braces of an image's text are escaped; artifacts are its paths as bytes."""
    (run,) = json.loads(hostile["sarif"])["runs"]
    for result in run["results"]:
        text = result["message"]["text"]
        assert not re.search(r"(?<!\\)[\[\]]", text)
        assert "{" not in text.replace("{{", "")
        for path, place in zip(result["properties"]["paths"], result["locations"], strict=False):
            uri = place["physicalLocation"]["artifactLocation"]["uri"]
            assert path_text(unquote_to_bytes(uri)) == path
    named = {path for result in run["results"] for path in result["properties"]["paths"]}
    assert {"no utf-8 \\xff\\xfe", "[x](evil.example)"} <= named
