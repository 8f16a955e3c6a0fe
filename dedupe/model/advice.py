"""Commands to suggest after a scan."""

from dataclasses import dataclass
from enum import Enum, auto


class Reason(Enum):
    """Why a command is suggested."""

    OVERVIEW = auto()
    FINDINGS = auto()
    #: an image with shadowed bytes
    SHADOWED = auto()
    POSITIONS = auto()
    CONTAINERS = auto()
    ORPHANS = auto()
    #: of use if there is nothing to fix
    TREE = auto()
    USAGE = auto()


@dataclass(frozen=True, slots=True)
class Advice:
    """A command, and the figures that are the reason to run it."""

    command: tuple[str, ...]
    reason: Reason
    size_bytes: int = 0
    count: int = 0
    #: kind of the finding
    kind: str = ""
    #: name of the image
    about: str = ""


#: commands that are of use for every scan
GENERAL = (
    Advice(("report",), Reason.OVERVIEW),
    Advice(("tree",), Reason.TREE),
    Advice(("usage",), Reason.USAGE),
)
