"""Fixtures shared by all tests."""

import logging
import os
import subprocess
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


SMALL_KB = 40


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 40 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SMALL_KB}k", "tmpfs", str(place)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("no right to mount a small disk")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.fixture(autouse=True)
def _log_level_of_its_own(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A command that a test runs in this process sets the level; the next test finds the usual one."""
    logger = logging.getLogger("pointpet")
    before = logger.level
    monkeypatch.delenv(LEVEL_VARIABLE, raising=False)
    yield
    logger.setLevel(before)
    os.environ.pop(LEVEL_VARIABLE, None)
