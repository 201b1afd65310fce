"""Nothing but the tumour may tell the classes apart: a small version of experiments/phantom_leak.py."""

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "experiments" / "phantom_leak.py"


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("preset", ["default", "hard"])
def test_a_classifier_learns_nothing_without_the_tumour(preset: str) -> None:
    spec = importlib.util.spec_from_file_location("phantom_leak", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    leak = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(leak)
    for name, (auc, low, high) in leak.run(60, 0, preset, 1).items():
        assert low <= 0.5 <= high, f"{name}: AUC {auc:.3f}, {low:.3f} to {high:.3f}"
