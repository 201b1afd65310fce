"""The experiments are scripts, not a package: tests import them by file name."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

EXPERIMENTS = Path(__file__).parents[2] / "experiments"


@pytest.fixture(scope="session")
def experiment() -> Callable[[str], ModuleType]:
    """Import a script of the folder `experiments` by its name."""

    def load(name: str) -> ModuleType:
        sys.path.insert(0, str(EXPERIMENTS))
        try:
            return importlib.import_module(name)
        finally:
            sys.path.remove(str(EXPERIMENTS))

    return load
