"""Files that belong to the project: tracked by git, or about to be."""

import subprocess
from pathlib import Path

from here import PROJECT

#: folders that tools make, skipped when there is no git to ask
_MADE = {"build", "dist", "__pycache__"}


def tracked_files() -> list[Path]:
    """Files of the project that are not ignored; all source files if this is not a git checkout."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    if listed.returncode == 0 and listed.stdout:
        found = {PROJECT / name for name in listed.stdout.split("\0") if name}
    else:
        found = {path for path in PROJECT.rglob("*") if not _is_made(path)}
    return sorted(path for path in found if path.is_file())


def _is_made(path: Path) -> bool:
    parts = path.relative_to(PROJECT).parts
    return any(part in _MADE or part.startswith(".") for part in parts)
