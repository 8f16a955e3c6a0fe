"""The command line: parse, call, render, exit."""

from dedupe.cli.app import app

__all__ = ["app"]
