"""Ranges of the EANM guideline 2.0, at their limits."""

import pytest

from pointpet.core import Acquisition
from pointpet.image.acquisition_qc import acquisition_remarks, voxel_remark


def remarks(body_median: float = 0.6, liver: float | None = None, **facts: float) -> dict[str, str]:
    found = acquisition_remarks(Acquisition(**facts), body_median=body_median, liver=liver)
    return {remark.code: remark.problem for remark in found}


def test_what_is_not_known_is_not_judged():
    assert remarks() == {}


@pytest.mark.parametrize("minutes", [55, 60, 75])
def test_uptake_accepted(minutes):
    assert remarks(uptake_s=60.0 * minutes) == {}


@pytest.mark.parametrize(
    ("facts", "code", "problem"),
    [
        ({"uptake_s": 54.0 * 60}, "UPTAKE", "the uptake time is 54 min, usual are 55 to 75 min"),
        ({"uptake_s": 90.0 * 60}, "UPTAKE", "the uptake time is 90 min, usual are 55 to 75 min"),
        ({"dose_bq": 100e6, "weight_kg": 80.0}, "DOSE", "activity is 1.25 MBq/kg, usual are 1.75 to 7 MBq/kg"),
        ({"dose_bq": 800e6, "weight_kg": 80.0}, "DOSE", "activity is 10 MBq/kg"),
        ({"glucose_mmol_l": 11.5}, "GLUCOSE", "blood glucose is 11.5 mmol/L, usual are 2 to 11 mmol/L"),
        ({"glucose_mmol_l": 110.0}, "GLUCOSE", "blood glucose is 110 mmol/L"),
        ({"liver": 1.2}, "LIVER", "the liver's mean SUV is 1.2 g/mL, usual are 1.3 to 3 g/mL"),
        ({"liver": 3.4}, "LIVER", "the liver's mean SUV is 3.4 g/mL"),
        ({"body_median": 5.0}, "BODY", "the body's median SUV is 5 g/mL, usual are 0.1 to 3 g/mL"),
    ],
)
def test_outside(facts, code, problem):
    found = remarks(**facts)
    assert list(found) == [f"PP-QC-{code}"]
    assert problem in found[f"PP-QC-{code}"]


def test_dose_needs_the_weight():
    assert Acquisition(dose_bq=300e6).dose_mbq_per_kg is None
    assert Acquisition(dose_bq=300e6, weight_kg=75.0).dose_mbq_per_kg == pytest.approx(4.0)


@pytest.mark.parametrize("edges", [(4.07, 4.07, 3.0), (3.0, 3.0, 3.27)])
def test_voxels_accepted(edges):
    assert voxel_remark(edges, 3) is None


def test_voxels_remarked_once_for_all_scans_of_a_size():
    remark = voxel_remark((5.47, 5.47, 3.27), 12)
    assert remark is not None
    assert remark.problem == "12 scans have voxels of 5.47 x 5.47 x 3.27 mm, usual are edges of 3 to 4 mm"
    alone = voxel_remark((5.47, 5.47, 3.27), 1)
    assert alone is not None
    assert alone.problem.startswith("1 scan has voxels")


@pytest.mark.parametrize(
    ("maker", "model", "scanner"),
    [("GE", " Discovery ST ", "GE Discovery ST"), (None, "X", "X"), (" ", None, "")],
)
def test_scanner(maker, model, scanner):
    assert Acquisition(manufacturer=maker, model=model).scanner == scanner
