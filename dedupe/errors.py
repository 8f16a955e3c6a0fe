"""What can go wrong, and the exit code that each kind of failure owns.

DedupeError
├── UsageError    exit 2   the call's words are off
├── SourceError   exit 3   a source cannot be opened or its manifest understood
├── LayerError    exit 4   a blob is truncated, of unknown compression, or has another digest
├── StoreError    exit 5   the catalog is missing, of another schema, or the selection is empty
└── LockedError   exit 6   another run holds the catalog's lock

0 is complete, 1 something was catalogued and something skipped, 10 a rule of check failed,
70 an internal error, 130 interrupted. Only ``__main__`` prints errors and exits.
"""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes that belong to no exception."""

    COMPLETE = 0
    SKIPPED = 1
    USAGE = 2
    RULES_FAILED = 10
    INTERNAL = 70
    INTERRUPTED = 130


class DedupeError(Exception):
    """A failure with a message for people and a stable code for programs."""

    exit_code = 1

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        #: stable, documented in docs/problems.md
        self.code = code
        self.message = message

    def __reduce__(self) -> tuple[type["DedupeError"], tuple[str, str]]:
        # errors cross process boundaries; the default would call __init__ with one argument
        return type(self), (self.message, self.code)


def reason_of(error: OSError) -> str:
    """Why the operating system refused, in lower case: ``permission denied``."""
    return (error.strerror or str(error)).lower()


class UsageError(DedupeError):
    """The call asks for something that the command line does not offer."""

    exit_code = 2


class SourceError(DedupeError):
    """A source cannot be opened, or its manifest cannot be understood."""

    exit_code = 3


class LayerError(DedupeError):
    """A layer's blob cannot be read to its end."""

    exit_code = 4


class StoreError(DedupeError):
    """The catalog is missing, of another schema, or holds nothing that was asked for."""

    exit_code = 5


class LockedError(DedupeError):
    """Another run holds the lock of the catalog."""

    exit_code = 6
