"""Fixtures that all tests share."""

from pathlib import Path

import pytest
from here import FIXTURES
from hypothesis import HealthCheck, settings

# a failed assertion in these packages shows its values, as one in a test does
pytest.register_assert_rewrite("helpers", "oracle", "builders")

# a busy machine draws and runs examples slowly, which says nothing about the code
settings.register_profile("any machine", deadline=None, suppress_health_check=list(HealthCheck))
settings.load_profile("any machine")


@pytest.fixture
def fixtures_folder() -> Path:
    """Images and tars made by others; tests that read them are skipped if the folder is absent."""
    if not FIXTURES.is_dir():
        pytest.skip("the folder of images made by others is not here")
    return FIXTURES
