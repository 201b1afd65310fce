import csv
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from pointpet.core import ImageReadError, Mask, OutputError, Unit, Volume
from pointpet.io.artefacts import read_json
from pointpet.io.cohort_csv import read_cohort
from pointpet.io.nifti import read_mask, read_nifti, write_mask
from pointpet.io.pet import sidecar_path
from pointpet.pipeline import quantify as quantifying
from pointpet.pipeline.quantify import (
    CASE_COLUMNS,
    describe_columns,
    feature_columns,
    mask_features,
    quantify_case,
    quantify_cohort,
)
from pointpet.quantify import suv_summary
from pointpet.quantify.radiomics import RadiomicsSettings

SETTINGS = RadiomicsSettings()
DOCUMENT = Path(__file__).parents[2] / "docs" / "file-formats.md"


@pytest.fixture(scope="module")
def small(cohort_folder, tmp_path_factory) -> Path:
    """The first three cases of the cohort."""
    folder = tmp_path_factory.mktemp("small")
    shutil.copytree(cohort_folder, folder, dirs_exist_ok=True)
    lines = (folder / "cohort.csv").read_text().splitlines()
    (folder / "cohort.csv").write_text("\n".join(lines[:4]) + "\n")
    return folder


@pytest.fixture(scope="module")
def done(small, tmp_path_factory) -> Path:
    """A finished table."""
    out = tmp_path_factory.mktemp("done") / "features.csv"
    assert quantify_cohort(small / "cohort.csv", out, SETTINGS).failures == ()
    return out


@pytest.fixture
def copied(small, done, tmp_path) -> tuple[Path, Path]:
    """A cohort and its table, to change."""
    shutil.copytree(small, tmp_path / "cohort")
    shutil.copytree(done.parent, tmp_path / "out")
    return tmp_path / "cohort" / "cohort.csv", tmp_path / "out" / "features.csv"


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def count_reads(monkeypatch) -> list[str]:
    read: list[str] = []
    original = quantifying.read_case
    monkeypatch.setattr(quantifying, "read_case", lambda case: read.append(case.case_id) or original(case))
    return read


def test_features_of_a_mask_are_suv_statistics_and_radiomics():
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    voxels = np.random.default_rng(0).gamma(4.0, 1.0, (16, 16, 16)).astype(np.float32)
    inside = np.zeros(voxels.shape, bool)
    inside[4:9, 4:9, 4:9] = inside[12:14, 12:14, 12:14] = True
    found = mask_features(Volume(voxels, affine), Mask(inside, affine), SETTINGS)
    assert tuple(found) == feature_columns()
    summary = suv_summary(Volume(voxels, affine), Mask(inside, affine))
    assert found["suv_max"] == summary.suv_max
    assert found["mtv_ml"] == pytest.approx((125 + 8) * 0.064)
    assert found["lesion_count"] == 2
    assert found["dmax_mm"] == pytest.approx(np.sqrt(3) * 26)
    assert all(type(value) is float for value in found.values())


def test_an_empty_mask_has_no_volume_and_no_features():
    affine = np.eye(4)
    found = mask_features(Volume(np.ones((5, 5, 5)), affine), Mask(np.zeros((5, 5, 5), bool), affine), SETTINGS)
    zeros = {"mtv_ml", "tlg_g", "dmax_mm", "lesion_count"}
    assert {name for name, value in found.items() if value == 0} == zeros
    assert all(np.isnan(value) for name, value in found.items() if name not in zeros)


def test_the_table_holds_what_the_functions_say(small, done):
    rows = rows_of(done)
    assert list(rows[0]) == [*CASE_COLUMNS, *feature_columns()]
    assert [row["case_id"] for row in rows] == ["C00", "C01", "C02"]
    case = read_cohort(small / "cohort.csv").cases[1]
    volume = read_nifti(small / "images" / "C01.nii.gz", Unit.SUVBW)
    expected = mask_features(volume, read_mask(case.mask, volume), SETTINGS)
    assert {name: float(rows[1][name]) for name in feature_columns()} == expected


def test_the_sidecar_explains_every_column_and_names_no_path(small, done):
    record = read_json(done.with_suffix(".json"))
    assert record["columns"] == describe_columns()
    assert [column["name"] for column in record["columns"]] == list(feature_columns())
    assert record["settings"] == {
        "spacing_mm": 3.0,
        "bin_suv": 0.25,
        "interpolation": "cubic",
        "mask_interpolation": "linear",
    }
    assert set(record["backend"]) == {"name", "version"}
    text = done.with_suffix(".json").read_text() + done.read_text()
    assert str(small) not in text
    assert "images/" not in text


def test_nothing_is_left_beside_the_table(done):
    assert {path.name for path in done.parent.iterdir()} == {"features.csv", "features.json"}


def test_masks_of_a_prediction_folder(small, tmp_path):
    """A mask twice as large in the folder: it is the one that is described."""
    for case in read_cohort(small / "cohort.csv").cases[:2]:
        volume = read_nifti(case.pet, Unit.SUVBW)
        larger = volume.voxels > 0.4
        write_mask(tmp_path / "masks" / case.case_id / "mask.nii.gz", Mask(larger, volume.affine), volume.stored)
    outcome = quantify_cohort(small / "cohort.csv", tmp_path / "f.csv", SETTINGS, masks=tmp_path / "masks")
    assert [row["mtv_ml"] > 100 for row in outcome.rows] == [True, True]
    ((name, error),) = outcome.failures
    assert name == "C02"
    assert str(error) == "case C02: mask: there is none in masks. Fill in `mask`, or give --masks DIR."
    assert read_json(tmp_path / "f.json")["failures"] == [
        {"case_id": "C02", "code": "PP-CASE-MASK", "message": str(error)}
    ]
    assert read_json(tmp_path / "f.json")["masks"] == "folder"


def test_a_case_without_a_mask_is_listed(copied):
    cohort, out = copied
    (cohort.parent / "masks" / "C01.nii.gz").unlink()
    cohort.write_text(cohort.read_text().replace("masks/C01.nii.gz", ""))
    outcome = quantify_cohort(cohort, out, SETTINGS)
    assert [name for name, _ in outcome.failures] == ["C01"]
    with pytest.raises(ImageReadError, match="mask: there is none in the manifest"):
        quantify_case(read_cohort(cohort)["C01"], SETTINGS)


def test_an_empty_prediction_is_a_result_and_an_empty_reference_a_fault(copied, tmp_path):
    cohort, out = copied
    case = read_cohort(cohort)["C01"]
    volume = read_nifti(case.pet, Unit.SUVBW)
    empty = Mask(np.zeros(volume.voxels.shape, bool), volume.affine)
    write_mask(tmp_path / "masks" / "C01" / "mask.nii.gz", empty, volume.stored)
    row = quantify_case(case, SETTINGS, masks=tmp_path / "masks")["row"]
    assert row["mtv_ml"] == 0.0
    assert np.isnan(row["stat_mean_Q4LE"])
    write_mask(case.mask, empty, volume.stored)
    outcome = quantify_cohort(cohort, out, SETTINGS)
    assert [name for name, _ in outcome.failures] == ["C01"]
    assert "needs a voxel inside the PET" in str(outcome.failures[0][1])


def test_a_corrupt_image_leaves_the_other_rows_as_they_were(copied):
    cohort, out = copied
    before = rows_of(out)
    (cohort.parent / "images" / "C01.nii.gz").write_bytes(b"no image")
    outcome = quantify_cohort(cohort, out, SETTINGS)
    assert [name for name, _ in outcome.failures] == ["C01"]
    assert rows_of(out) == [before[0], before[2]]


def test_again_reads_only_what_changed(copied, monkeypatch):
    cohort, out = copied
    before, sidecar = out.read_bytes(), read_json(out.with_suffix(".json"))
    read = count_reads(monkeypatch)
    quantify_cohort(cohort, out, SETTINGS)
    # The copies are as old as their originals: nothing changed.
    assert read == []
    assert out.read_bytes() == before
    assert read_json(out.with_suffix(".json"))["cases"] == sidecar["cases"]
    shutil.copy2(cohort.parent / "masks" / "C00.nii.gz", cohort.parent / "masks" / "C02.nii.gz")
    quantify_cohort(cohort, out, SETTINGS)
    assert read == ["C02"]
    sidecar_path(cohort.parent / "images" / "C01.nii.gz").write_text('{"unit": "suv", "warnings": ["by hand"]}')
    quantify_cohort(cohort, out, SETTINGS)
    assert read == ["C02", "C01"]


def test_an_interrupted_run_goes_on(small, done, tmp_path, monkeypatch):
    read = count_reads(monkeypatch)

    def stop(done_cases, total, message):
        if done_cases == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quantify_cohort(small / "cohort.csv", tmp_path / "f.csv", SETTINGS, report=stop)
    assert not (tmp_path / "f.csv").exists()
    quantify_cohort(small / "cohort.csv", tmp_path / "f.csv", SETTINGS)
    assert read == ["C00", "C01", "C02"]
    assert (tmp_path / "f.csv").read_bytes() == done.read_bytes()


def test_rows_of_other_settings_are_not_taken_over(small, done, tmp_path):
    def stop(done_cases, total, message):
        if done_cases == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quantify_cohort(small / "cohort.csv", tmp_path / "f.csv", RadiomicsSettings(bin_suv=0.5), report=stop)
    quantify_cohort(small / "cohort.csv", tmp_path / "f.csv", SETTINGS)
    assert (tmp_path / "f.csv").read_bytes() == done.read_bytes()


def test_several_processes_give_the_same_table(small, done, tmp_path):
    outcome = quantify_cohort(small / "cohort.csv", tmp_path / "f.csv", SETTINGS, workers=2)
    assert outcome.failures == ()
    assert (tmp_path / "f.csv").read_bytes() == done.read_bytes()


def test_another_table_is_not_overwritten_unasked(copied):
    cohort, out = copied
    before = out.read_bytes()
    with pytest.raises(OutputError, match=r"features\.csv: exists, and other settings, masks or versions"):
        quantify_cohort(cohort, out, RadiomicsSettings(bin_suv=0.5))
    assert out.read_bytes() == before
    quantify_cohort(cohort, out, RadiomicsSettings(bin_suv=0.5), overwrite=True)
    assert out.read_bytes() != before
    assert read_json(out.with_suffix(".json"))["settings"]["bin_suv"] == 0.5


def test_a_foreign_file_of_that_name_is_not_overwritten_unasked(small, tmp_path):
    (tmp_path / "f.json").write_text(json.dumps({"mine": True}))
    with pytest.raises(OutputError, match=r"f\.csv: exists, and"):
        quantify_cohort(small / "cohort.csv", tmp_path / "f.csv", SETTINGS)
    assert json.loads((tmp_path / "f.json").read_text()) == {"mine": True}


@pytest.mark.parametrize("overwrite", [False, True])
def test_the_manifest_itself_is_never_the_table(copied, overwrite):
    cohort, _ = copied
    before = cohort.read_bytes()
    with pytest.raises(OutputError, match=r"cohort\.csv: is the manifest"):
        quantify_cohort(cohort, cohort, SETTINGS, overwrite=overwrite)
    assert cohort.read_bytes() == before


def test_the_table_must_be_csv(small, tmp_path):
    with pytest.raises(OutputError, match=r"features\.xlsx: must end in \.csv"):
        quantify_cohort(small / "cohort.csv", tmp_path / "features.xlsx", SETTINGS)


def test_the_documented_schema_is_the_tables(done):
    text = DOCUMENT.read_text(encoding="utf-8")
    section = re.search(r"^## FEATURES\.csv\n(.+?)(?=^## )", text, flags=re.MULTILINE | re.DOTALL)
    assert section is not None
    names = re.findall(r"`([^`]+)`", section.group(1).split("### FEATURES.json")[0])
    assert {*CASE_COLUMNS, *quantifying.SUV_COLUMNS} <= set(names)
    rows = section.group(1).split("### FEATURES.json")[1].splitlines()
    keys = [name for line in rows if line.startswith("|") for name in re.findall(r"`([^`]+)`", line.split("|")[1])]
    assert keys == list(read_json(done.with_suffix(".json")))
