"""The errors of this program and their exit codes.

DedupeError
├── UsageError    exit 2   arguments or options are invalid
├── SourceError   exit 3   a source cannot be opened or its manifest cannot be understood
├── LayerError    exit 4   a layer cannot be read to its end
├── StoreError    exit 5   the catalog is missing, damaged or of another schema version
├── LockedError   exit 6   another process holds the lock
└── ResourceError exit 7   memory or disk space does not suffice

Other exit codes: 0 if everything was read, 1 if something was skipped, 10 if a rule of ``check``
failed, 70 for an internal error, 130 if interrupted. Only ``__main__`` prints errors and exits.
"""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes that do not belong to an exception."""

    COMPLETE = 0
    SKIPPED = 1
    USAGE = 2
    RULES_FAILED = 10
    INTERNAL = 70
    INTERRUPTED = 130


class DedupeError(Exception):
    """An error with a message to read and a stable code for programs."""

    exit_code = 1

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        #: explained in docs/problems.md
        self.code = code
        self.message = message

    def __reduce__(self) -> tuple[type["DedupeError"], tuple[str, str]]:
        # workers send errors to the parent; the default would call __init__ with one argument
        return type(self), (self.message, self.code)


def reason_of(error: OSError) -> str:
    """Why the operating system refused, in lower case: ``permission denied``."""
    return (error.strerror or str(error)).lower()


class UsageError(DedupeError):
    """Arguments or options are invalid."""

    exit_code = 2


class SourceError(DedupeError):
    """A source cannot be opened, or its manifest cannot be understood."""

    exit_code = 3


class LayerError(DedupeError):
    """A layer cannot be read to its end."""

    exit_code = 4


class StoreError(DedupeError):
    """The catalog is missing, damaged, of another schema version, or cannot be written."""

    exit_code = 5


class LockedError(DedupeError):
    """Another process holds the lock."""

    exit_code = 6


class ResourceError(DedupeError):
    """Memory, or disk space for what does not fit into it, does not suffice."""

    exit_code = 7
