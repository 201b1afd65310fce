"""The small cohort of the pipeline's tests."""

import importlib.util
from pathlib import Path

import pytest

import pointpet as pp

_SPEC = importlib.util.spec_from_file_location(
    "pipeline_conftest", Path(__file__).parents[1] / "pipeline" / "conftest.py"
)
assert _SPEC is not None
assert _SPEC.loader is not None
_PIPELINE = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_PIPELINE)
cohort_folder, quick = _PIPELINE.cohort_folder, _PIPELINE.quick


@pytest.fixture(scope="session")
def cohort(cohort_folder) -> pp.Cohort:
    """Sixteen cases of two classes."""
    return pp.read_cohort(cohort_folder / "cohort.csv")


@pytest.fixture(scope="session")
def detector(cohort, quick, tmp_path_factory) -> pp.WeakDetector:
    """A detector trained on the cohort; read only."""
    cache = tmp_path_factory.mktemp("cache")
    return pp.WeakDetector(configuration=quick, seed=3, cache=cache).fit(cohort)
