"""Fixtures and helpers that all tests share."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def fixtures_folder() -> Path:
    """Images and tars made by others; tests that read them skip where they are not at hand."""
    folder = Path(__file__).parents[2] / "shared" / "fixtures"
    if not folder.is_dir():
        pytest.skip("the folder of images made by others is not here")
    return folder
