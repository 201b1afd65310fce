"""From a class label and one click per patient to 3D tumour masks in FDG-PET. Research use only.

The Python interface, imported when it is used:

    import pointpet as pp
    volume = pp.read_pet("dicom_folder")
    result = pp.load_model("MODEL").predict(volume)
    found = pp.segment_from_point(volume, (x, y, z))
    estimator = pp.WeakDetector(seed=0).fit(pp.read_cohort("cohort.csv"))
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from pointpet._version import __version__

if TYPE_CHECKING:
    from pointpet.api.detector import WeakDetector
    from pointpet.api.model import Model, ScanResult, load_model
    from pointpet.api.scans import PetWarning, read_mask, read_pet, write_mask
    from pointpet.core import Case, Cohort, Flag, Lesion, Mask, MipPair, Plane, PointpetError, Volume
    from pointpet.io.cohort_csv import read_cohort
    from pointpet.localise.point import PointSegmentation
    from pointpet.localise.point import segment_point as segment_from_point
    from pointpet.project.mips import project
    from pointpet.quantify.suv_statistics import SuvSummary, describe_lesions
    from pointpet.quantify.suv_statistics import suv_summary as suv_statistics

_HOMES = {
    "Case": "pointpet.core",
    "Cohort": "pointpet.core",
    "Flag": "pointpet.core",
    "Lesion": "pointpet.core",
    "Mask": "pointpet.core",
    "MipPair": "pointpet.core",
    "Model": "pointpet.api.model",
    "PetWarning": "pointpet.api.scans",
    "Plane": "pointpet.core",
    "PointSegmentation": "pointpet.localise.point",
    "PointpetError": "pointpet.core",
    "ScanResult": "pointpet.api.model",
    "SuvSummary": "pointpet.quantify.suv_statistics",
    "Volume": "pointpet.core",
    "WeakDetector": "pointpet.api.detector",
    "describe_lesions": "pointpet.quantify.suv_statistics",
    "load_model": "pointpet.api.model",
    "read_cohort": "pointpet.io.cohort_csv",
    "read_mask": "pointpet.api.scans",
    "read_pet": "pointpet.api.scans",
    "segment_from_point": "pointpet.localise.point:segment_point",
    "suv_statistics": "pointpet.quantify.suv_statistics:suv_summary",
    "write_mask": "pointpet.api.scans",
}
"""Where each name lives, and its name there where it has another."""

__all__ = [
    "Case",
    "Cohort",
    "Flag",
    "Lesion",
    "Mask",
    "MipPair",
    "Model",
    "PetWarning",
    "Plane",
    "PointSegmentation",
    "PointpetError",
    "ScanResult",
    "SuvSummary",
    "Volume",
    "WeakDetector",
    "__version__",
    "describe_lesions",
    "load_model",
    "project",
    "read_cohort",
    "read_mask",
    "read_pet",
    "segment_from_point",
    "suv_statistics",
    "write_mask",
]


def __getattr__(name: str) -> Any:
    """Import a name of the interface when it is first asked for."""
    if name == "project":  # the package of that name, which can be called
        return import_module("pointpet.project")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, there = _HOMES[name].partition(":")
    value = getattr(import_module(module), there or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
