"""What looks unusual about an FDG acquisition: remarks for a reader, never a reason to refuse a case.

Source, where nothing else is said: Boellaard et al., FDG PET/CT: EANM procedure guidelines for tumour imaging, version
2.0, Eur J Nucl Med Mol Imaging 2015; 42: 328-354.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pointpet.core import Acquisition

UPTAKE_MIN = (55.0, 75.0)
"""Minutes from injection to scan; 60 are recommended, this range is accepted."""
DOSE_MBQ_PER_KG = (1.75, 7.0)
"""The guideline's least activity is 7 or 14 MBq min/kg (beds that overlap by more or less than 30 %) over the minutes a
bed; with 2 to 4 minutes that is 1.75 to 7 MBq/kg."""
LARGEST_GLUCOSE_MMOL_L = 11.0
"""From there on a scan is to be put off."""
LEAST_GLUCOSE_MMOL_L = 2.0
"""Lower values are not compatible with a scan; they are mg/dL over 18, twice, or another quantity."""
LIVER_SUV = (1.3, 3.0)
"""Mean uptake of a healthy liver at those uptake times: outside, weight, dose, times or calibration may be wrong."""
BODY_MEDIAN_SUV = (0.1, 3.0)
"""Not of the guideline: outside, the numbers are hardly SUV. FDG has 0.4 to 1 g/mL."""
VOXEL_MM = (3.0, 4.0)
"""Voxel edge in any direction."""
EDGE_TOLERANCE_MM = 0.1
"""4.07 mm is meant as 4: scanners divide a fixed field of view."""


@dataclass(frozen=True)
class Remark:
    """One unusual value. `code`: PP-QC-...; `problem`: requirement and received value, one clause."""

    code: str
    problem: str


def acquisition_remarks(
    acquisition: Acquisition, *, body_median: float, liver: float | None = None
) -> tuple[Remark, ...]:
    """Judge uptake time, activity for the weight, glucose, liver and body; what is not known is not judged.

    Args:
        acquisition: as the header or the sidecar states it.
        body_median: median SUV of the body. liver: mean SUV of the liver, None where not found.
    """
    remarks = []
    if acquisition.uptake_s is not None:
        remarks.append(_outside("UPTAKE", "the uptake time", acquisition.uptake_s / 60, UPTAKE_MIN, "min"))
    per_kg = acquisition.dose_mbq_per_kg
    if per_kg is not None:
        remarks.append(_outside("DOSE", "the injected activity", per_kg, DOSE_MBQ_PER_KG, "MBq/kg"))
    if acquisition.glucose_mmol_l is not None:
        limits = (LEAST_GLUCOSE_MMOL_L, LARGEST_GLUCOSE_MMOL_L)
        remarks.append(_outside("GLUCOSE", "blood glucose", acquisition.glucose_mmol_l, limits, "mmol/L"))
    if liver is not None:
        remarks.append(_outside("LIVER", "the liver's mean SUV", liver, LIVER_SUV, "g/mL"))
    remarks.append(_outside("BODY", "the body's median SUV", body_median, BODY_MEDIAN_SUV, "g/mL"))
    return tuple(remark for remark in remarks if remark is not None)


def voxel_remark(edges_mm: Sequence[float], cases: int) -> Remark | None:
    """Judge one size of voxels that `cases` scans share: once for a scanner, not once for each of its scans."""
    low, high = VOXEL_MM
    if all(low - EDGE_TOLERANCE_MM <= edge <= high + EDGE_TOLERANCE_MM for edge in edges_mm):
        return None
    size = " x ".join(f"{edge:.2f}" for edge in edges_mm)
    scans = "1 scan has" if cases == 1 else f"{cases} scans have"
    return Remark("PP-QC-VOXEL", f"{scans} voxels of {size} mm, usual are edges of {low:g} to {high:g} mm")


def _outside(code: str, what: str, value: float, limits: tuple[float, float], unit: str) -> Remark | None:
    low, high = limits
    if low <= value <= high:
        return None
    return Remark(f"PP-QC-{code}", f"{what} is {value:.3g} {unit}, usual are {low:g} to {high:g} {unit}")
