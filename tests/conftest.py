"""Fixtures and helpers that all tests share."""

from pathlib import Path

import pytest
from here import FIXTURES


@pytest.fixture
def fixtures_folder() -> Path:
    """Images and tars made by others; tests that read them skip where they are not at hand."""
    if not FIXTURES.is_dir():
        pytest.skip("the folder of images made by others is not here")
    return FIXTURES
