"""An image's config: diff IDs and build steps of its layers, and its platform.

Source: OCI image-spec config.md.
"""

from dataclasses import dataclass
from typing import Any

from dedupe.errors import SourceError
from dedupe.formats.documents import parse_object, text_in
from dedupe.model.identity import DiffID, is_diff_id
from dedupe.model.images import ImageDetails, Platform
from dedupe.model.paths import printable


@dataclass(frozen=True, slots=True)
class Config:
    """An image's config, as far as it is needed."""

    diff_ids: tuple[DiffID, ...]
    #: build step of each layer; None if the history is missing or shorter
    steps: tuple[str | None, ...]
    details: ImageDetails

    @classmethod
    def parse(cls, data: bytes, name: str) -> "Config":
        """Parse a config; raises SourceError ``not-json`` or ``bad-config``."""
        document = parse_object(data, name)
        # Go writes what is empty as null: an image without layers
        rootfs = _or_empty(document.get("rootfs"), {})
        diff_ids = _or_empty(rootfs.get("diff_ids"), []) if isinstance(rootfs, dict) else None
        if not isinstance(diff_ids, list) or not all(is_diff_id(item) for item in diff_ids):
            raise SourceError(
                f"{name}: expected rootfs.diff_ids, a list of sha256 digests", "bad-config"
            )
        history = document.get("history")
        steps = [
            printable(text_in(step, "created_by"))
            for step in (history if isinstance(history, list) else [])
            if isinstance(step, dict) and not step.get("empty_layer")
        ]
        # builders append to the history of the base: if steps are missing, they are the base's
        missing = max(len(diff_ids) - len(steps), 0)
        padded = [None] * missing + [step or None for step in steps[: len(diff_ids)]]
        return cls(
            tuple(DiffID(item) for item in diff_ids),
            tuple(padded),
            ImageDetails(
                platform=platform_of(document),
                created=printable(text_in(document, "created")) or None,
            ),
        )


def _or_empty(value: object, empty: object) -> object:
    return empty if value is None else value


def platform_of(document: dict[str, Any]) -> Platform:
    """The platform of a config or of an index entry, normalised.

    arm64 has only the variant v8 and amd64's default is v1, so both are left out.
    """
    os_name, architecture = text_in(document, "os"), text_in(document, "architecture")
    variant = text_in(document, "variant")
    if (architecture, variant) in (("arm64", "v8"), ("amd64", "v1")):
        variant = ""
    if architecture == "arm" and not variant:
        variant = "v7"
    return Platform(*(printable(part) for part in (os_name, architecture, variant)))
