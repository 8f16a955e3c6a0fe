"""The entry point of the command, and the only place that prints errors and exits."""

import gc
import os
import sys

#: objects that are made before garbage is looked for
_NEW_OBJECTS = 100_000
_INTERRUPTED = "dedupe: interrupted; layers that were read are kept"


def main() -> None:
    """Run the command line."""
    # loading modules makes many objects that stay: looking for garbage among them takes a tenth of
    # the time of a short command
    gc.set_threshold(_NEW_OBJECTS)
    # worker processes of a scan load this module too and need none of this
    from dedupe.cli import app
    from dedupe.errors import DedupeError, Exit

    try:
        app()
    except DedupeError as error:
        print(f"dedupe: {error.message} [{error.code}]", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print(_INTERRUPTED, file=sys.stderr)
        sys.exit(Exit.INTERRUPTED)
    except SystemExit as ending:
        # typer turns an interrupt into this exit code without a message
        if ending.code == Exit.INTERRUPTED:
            print(_INTERRUPTED, file=sys.stderr)
        raise
    except BrokenPipeError:
        # the reader closed the pipe, as `head` does; Python would print an error at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(Exit.COMPLETE)
    except Exception as error:
        if os.environ.get("DEDUPE_TRACEBACK"):
            raise
        _exit_if_short_of_resources(error)
        print(
            f"dedupe: internal error: {type(error).__name__}: {error}\n"
            "dedupe: please report it with the output of the same command under "
            "DEDUPE_TRACEBACK=1",
            file=sys.stderr,
        )
        sys.exit(Exit.INTERNAL)


def _exit_if_short_of_resources(error: Exception) -> None:
    """Print the error and exit if memory or disk space did not suffice."""
    from dedupe.store.resources import shortage

    lacking = shortage(error)
    if lacking is not None:
        print(f"dedupe: {lacking.message} [{lacking.code}]", file=sys.stderr)
        sys.exit(lacking.exit_code)


if __name__ == "__main__":
    main()
