"""Folders that tests read, wherever the test's own file is."""

from pathlib import Path

#: the checkout
PROJECT = Path(__file__).parents[1]
#: stacks and stores with their true figures
CASES = PROJECT / "tests" / "cases"
#: images and tars made by others; absent on most machines
FIXTURES = PROJECT.parent / "shared" / "fixtures"
