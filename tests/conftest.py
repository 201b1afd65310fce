"""Fixtures shared by all tests."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pointpet.cli.logs import LEVEL_VARIABLE


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real PET data; skips where the user has none."""
    folder = os.environ.get("POINTPET_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("POINTPET_DATA is not set to a folder with the real PET data")
    return Path(folder)


@pytest.fixture(autouse=True)
def _log_level_of_its_own(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A command that a test runs in this process sets the level; the next test finds the usual one."""
    logger = logging.getLogger("pointpet")
    before = logger.level
    monkeypatch.delenv(LEVEL_VARIABLE, raising=False)
    yield
    logger.setLevel(before)
    os.environ.pop(LEVEL_VARIABLE, None)
