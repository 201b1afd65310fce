"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real PET data; skips where the user has none."""
    folder = os.environ.get("POINTPET_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("POINTPET_DATA is not set to a folder with the real PET data")
    return Path(folder)
