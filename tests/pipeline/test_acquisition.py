"""Facts of each scan, the cohort's summary, and the flow of cases into a study."""

import json
import shutil

import pytest

from pointpet.io.cohort_csv import read_cohort
from pointpet.io.pet import sidecar_path
from pointpet.pipeline.acquisition import MEASURES, cohort_flow, summarise
from pointpet.pipeline.check import check_cohort
from pointpet.pipeline.config import PrepareSettings
from pointpet.pipeline.prepare import prepare_cohort

FACTS = {
    "weight_kg": 80,
    "dose_bq": 320e6,
    "uptake_s": 3600,
    "glucose_mmol_l": 5.5,
    "manufacturer": "Maker",
    "model": "One",
}


@pytest.fixture
def cohort(cohort_folder, tmp_path):
    """Sidecars: C00 as it should be, C01 scanned late and dosed high; the others state nothing."""
    folder = tmp_path / "cohort"
    shutil.copytree(cohort_folder, folder)
    for name, facts in {"C00": FACTS, "C01": FACTS | {"uptake_s": 6000, "dose_bq": 800e6, "model": "Two"}}.items():
        sidecar_path(folder / "images" / f"{name}.nii.gz").write_text(json.dumps({"unit": "suv", "acquisition": facts}))
    return folder


def test_check_tells_facts_and_remarks(cohort):
    found = check_cohort(cohort / "cohort.csv")
    row = found.rows[0]
    assert (row["uptake_min"], row["dose_mbq_per_kg"], row["glucose_mmol_l"]) == (60.0, 4.0, 5.5)
    assert row["scanner"] == "Maker One"
    assert row["liver_suv"] is None, "a blob in noise has no liver"
    remarks = {(item["code"], item["subject"]) for item in found.warnings if item["code"].startswith("PP-QC")}
    assert remarks == {("PP-QC-UPTAKE", "case C01"), ("PP-QC-DOSE", "case C01"), ("PP-QC-VOXEL", "cohort")}
    assert any("16 scans have voxels of 8.00 x 8.00 x 8.00 mm" in item["message"] for item in found.warnings)
    assert found.faults == ()


def test_check_sums_up(cohort):
    summary = check_cohort(cohort / "cohort.csv").acquisition
    assert summary["scans"] == 16
    assert set(summary["measures"]) == set(MEASURES)
    assert summary["measures"]["uptake_min"] == {"known": 2, "median": 80.0, "lo": 60.0, "hi": 100.0}
    assert summary["measures"]["liver_suv"] == {"known": 0, "median": None, "lo": None, "hi": None}
    assert summary["scanners"] == {"not stated": 14, "Maker One": 1, "Maker Two": 1}
    assert summary["voxels"] == {"8.00 x 8.00 x 8.00 mm": 16}
    assert summary["remarks"] == {"PP-QC-UPTAKE": 1, "PP-QC-DOSE": 1}


def test_the_manifest_supplies_glucose(cohort):
    table = (cohort / "cohort.csv").read_text().splitlines()
    table[0] += ",glucose_mmol_l"
    table[1:] = [line + ("," if number else ",14.2") for number, line in enumerate(table[1:])]
    (cohort / "cohort.csv").write_text("\n".join(table) + "\n")
    found = check_cohort(cohort / "cohort.csv")
    assert found.rows[0]["glucose_mmol_l"] == 14.2
    assert any(item["code"] == "PP-QC-GLUCOSE" and "C00" in item["subject"] for item in found.warnings)


def test_flow_counts_every_case_once(cohort, tmp_path):
    (cohort / "images" / "C02.nii.gz").write_bytes(b"nonsense")
    table = (cohort / "cohort.csv").read_text().splitlines()
    table[4] = table[4].replace("oesophagus", "")
    (cohort / "cohort.csv").write_text("\n".join(table) + "\n")
    settings = PrepareSettings(pixel_mm=4.0)
    prepared = prepare_cohort(cohort / "cohort.csv", tmp_path / "p", settings)
    flow = cohort_flow(read_cohort(cohort / "cohort.csv"), prepared)
    assert (flow["cases"], flow["patients"], flow["included"]) == (16, 16, 14)
    assert [(one["case_id"], one["code"]) for one in flow["excluded"]] == [
        ("C02", "PP-NIFTI-READ"),
        ("C03", "PP-CHECK-LABEL"),
    ]
    assert flow["acquisition"]["scans"] == 14


def test_no_scan_at_all():
    summary = summarise([])
    assert (summary["scans"], summary["sites"], summary["remarks"]) == (0, {}, {})
