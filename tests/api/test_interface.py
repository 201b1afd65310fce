"""The interface is stable: its names, how each is called, and that importing it costs nothing."""

import inspect
import subprocess
import sys

import numpy as np
import pytest

import pointpet as pp

NAMES = {
    "Case", "Cohort", "Flag", "Lesion", "Mask", "MipPair", "Model", "PetWarning", "Plane", "PointSegmentation",
    "PointpetError", "ScanResult", "SuvSummary", "Volume", "WeakDetector", "__version__", "describe_lesions",
    "load_model", "project", "read_cohort", "read_mask", "read_pet", "segment_from_point", "suv_statistics",
    "write_mask",
}  # fmt: skip

CALLS = {
    "describe_lesions": "(volume, mask, *, seeds_mm=None)",
    "load_model": "(model)",
    "project": "(volume, *, pixel_mm=2.0, interpolation='nearest')",
    "read_cohort": "(path, *, require_files=True)",
    "read_mask": "(path, volume, *, roi=None, resample=False)",
    "read_pet": "(path, *, units=None, header=None, strict=False)",
    "segment_from_point": "(volume, point_mm, *, rule=None, settings=None)",
    "suv_statistics": "(volume, mask)",
    "write_mask": "(path, mask, volume)",
    "WeakDetector": "(method='proposed', *, configuration=None, seed=0, workers=1, cache=None)",
    "Volume": "(voxels, affine, unit=<Unit.SUVBW: 'g/mL'>, stored=None)",
    "Mask": "(voxels, affine)",
}


def bare(signature: inspect.Signature) -> str:
    """A signature without annotations."""
    parameters = [p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()]
    return str(inspect.Signature(parameters))


def test_the_names_are_these():
    assert set(pp.__all__) == NAMES
    assert set(dir(pp)) >= NAMES
    assert all(getattr(pp, name) is not None for name in NAMES)


@pytest.mark.parametrize("name", sorted(CALLS))
def test_the_calls_are_these(name):
    assert bare(inspect.signature(getattr(pp, name))) == CALLS[name]


@pytest.mark.parametrize("name", sorted(NAMES - {"__version__"}))
def test_every_name_says_what_it_is(name):
    text = inspect.getdoc(getattr(pp, name))
    assert text
    assert not text.startswith(f"{name}("), "a text of its own, not the one that a dataclass makes"


def test_methods_are_annotated():
    for part in (pp.WeakDetector.fit, pp.WeakDetector.predict, pp.WeakDetector.predict_proba, pp.Model.predict):
        assert "return" in inspect.get_annotations(part)
        assert "Returns" in (part.__doc__ or "") or part.__doc__


def test_importing_loads_nothing_else():
    code = (
        "import sys, pointpet as pp; pp.__version__, dir(pp)\n"
        "print(sorted(n for n in sys.modules if n.partition('.')[0] in ('numpy','torch','pandas','sklearn','pydicom')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("first", ["import pointpet.project", "from pointpet.project import project_mask", "pass"])
def test_project_can_be_called_whatever_was_imported_before(first):
    code = (
        f"{first}\nimport numpy as np, pointpet as pp\n"
        "mips = pp.project(pp.Volume(np.ones((3, 4, 5)), np.diag([2.0, 2, 2, 1])), pixel_mm=2.0)\n"
        "print(mips.coronal.shape, mips.sagittal.shape)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "(3, 5) (4, 5)"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'pointpet' has no attribute 'read_ct'"):
        _ = pp.read_ct


def test_every_error_is_a_pointpet_error():
    with pytest.raises(pp.PointpetError, match="must be a finite 4 x 4 matrix"):
        pp.Volume(np.ones((2, 2, 2)), np.eye(3))
