"""Cases 31 to 51: headers from which no SUV can be computed, and those that are reinterpreted and say so."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset

from pointpet.io.pet import read_pet

Change = Callable[[Dataset], None]


def put(**values: object) -> Change:
    """Set attributes of the slice."""

    def change(dataset: Dataset) -> None:
        for keyword, value in values.items():
            setattr(dataset, keyword, value)

    return change


def drug(**values: object) -> Change:
    """Set attributes of the radiopharmaceutical."""

    def change(dataset: Dataset) -> None:
        for keyword, value in values.items():
            setattr(dataset.RadiopharmaceuticalInformationSequence[0], keyword, value)

    return change


def grams(dataset: Dataset) -> None:
    dataset.PatientWeight = float(dataset.PatientWeight) * 1000


def megabecquerels(dataset: Dataset) -> None:
    injection = dataset.RadiopharmaceuticalInformationSequence[0]
    injection.RadionuclideTotalDose = float(injection.RadionuclideTotalDose) / 1e6


def at_the_clock(scan: str, injected: str) -> Change:
    """Scan and injection at times of day, the injection without a date."""

    def change(dataset: Dataset) -> None:
        dataset.SeriesTime = dataset.AcquisitionTime = scan
        injection = dataset.RadiopharmaceuticalInformationSequence[0]
        injection.RadiopharmaceuticalStartDateTime, injection.RadiopharmaceuticalStartTime = "", injected

    return change


def a_day_late(dataset: Dataset) -> None:
    injection = dataset.RadiopharmaceuticalInformationSequence[0]
    text = str(injection.RadiopharmaceuticalStartDateTime)
    injection.RadiopharmaceuticalStartDateTime = "20240116" + text[8:]


def undated(dataset: Dataset) -> None:
    dataset.SeriesDate = dataset.AcquisitionDate = dataset.StudyDate = dataset.ContentDate = ""
    dataset.RadiopharmaceuticalInformationSequence[0].RadiopharmaceuticalStartDateTime = ""


def counts(*factors: float) -> Change:
    """Philips counts; a count is a Bq/mL."""

    def change(dataset: Dataset) -> None:
        dataset.Units = "CNTS"
        block = dataset.private_block(0x7053, "Philips PET Private Group", create=True)
        for element, factor in zip((0x00, 0x09), factors, strict=False):
            block.add_new(element, "DS", factor)

    return change


def undecayed(dataset: Dataset) -> None:
    dataset.DecayCorrection, dataset.CorrectedImage, dataset.ActualFrameDuration = "NONE", ["ATTN"], None


def heavier_slice(dataset: Dataset) -> None:
    if dataset.InstanceNumber == 3:
        dataset.PatientWeight = float(dataset.PatientWeight) + 10


REFUSED = {
    "31 weight absent": (put(PatientWeight=None), "WEIGHT", r"Patient's Weight \(0010,1030\) is absent.*weight_kg"),
    "32 weight 0": (put(PatientWeight=0), "WEIGHT", r"\(0010,1030\) is 0 kg, expected more than 0.*weight_kg"),
    "34 dose absent": (
        drug(RadionuclideTotalDose=None),
        "DOSE",
        r"Radionuclide Total Dose \(0018,1074\) is absent.*dose_bq",
    ),
    "35 dose negative": (drug(RadionuclideTotalDose=-1), "DOSE", r"\(0018,1074\) is -1 Bq"),
    "37 half-life absent": (drug(RadionuclideHalfLife=None), "HALF-LIFE", r"\(0018,1075\) is absent"),
    "38 half-life in minutes": (
        drug(RadionuclideHalfLife=109.77),
        "HALF-LIFE",
        r"Radionuclide Half Life \(0018,1075\) is 109.77 s, expected 6586.2 s for F-18",
    ),
    "39 injection times absent": (
        drug(RadiopharmaceuticalStartTime="", RadiopharmaceuticalStartDateTime=""),
        "INJECTION-ABSENT",
        r"\(0018,1078\) and .*\(0018,1072\) are both absent.*injection_time",
    ),
    "42 dates removed": (undated, "[A-Z-]+", r"Acquisition Date \(0008,0022\) is absent"),
    "43 malformed time": (put(AcquisitionTime="25.9"), "[A-Z-]+", r"Acquisition Time \(0008,0032\) is '25.9'"),
    "44 PROPCNTS": (put(Units="PROPCNTS"), "UNITS", r"Units \(0054,1001\) is PROPCNTS, supported are BQML, GML"),
    "45 CNTS without factor": (counts(), "COUNTS", r"\(7053,1000\) and .*\(7053,1009\) are both absent or 0"),
    "46 both factors 0": (counts(0.0, 0.0), "COUNTS", r"\(7053,1000\) and .*\(7053,1009\) are both absent or 0"),
    "47 unknown Decay Correction": (
        put(DecayCorrection="LATER"),
        "DECAY",
        r"Decay Correction \(0054,1102\) is 'LATER', expected START, ADMIN, NONE",
    ),
    "48 frame duration absent": (undecayed, "DURATION", r"Actual Frame Duration \(0018,1242\) is absent"),
    "49 weight that differs": (
        heavier_slice,
        "VARIES",
        r"Patient's Weight \(0010,1030\) must be one value for the series, got .* in file slice_00\d\d.dcm and",
    ),
    "50 slope 0": (put(RescaleSlope=0), "SLOPE", r"file slice_0000.dcm: Rescale Slope \(0028,1053\) is 0"),
    "51 intercept not 0": (put(RescaleIntercept=-1024), "INTERCEPT", r"Rescale Intercept \(0028,1052\) is -1024"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(cohort, edit, refuses, name):
    change, code, message = REFUSED[name]
    edit(cohort / "B", change)
    refuses(cohort, f"PP-SUV-{code}", message)


ADAPTED = {
    "33 weight in grams": (grams, "PP-SUV-GRAMS", "(0010,1030)"),
    "36 dose in MBq": (megabecquerels, "PP-SUV-MBQ", "(0018,1074)"),
    "40 across midnight": (at_the_clock("003000", "233000"), "PP-SUV-MIDNIGHT", "(0018,1072)"),
    "41 date one day late": (a_day_late, "PP-SUV-DATE", "(0018,1078)"),
    "46 first factor 0": (counts(0.0, 1.0), "PP-SUV-PHILIPS", "(7053,1000)"),
}


def sound_twin(name: str, folder: Path, edit: Callable) -> np.ndarray:
    """The voxels that a correct header of the same scan gives."""
    if name.startswith("40"):
        edit(folder, at_the_clock("133000", "123000"))
    return read_pet(folder).volume.voxels


@pytest.mark.parametrize("name", ADAPTED)
def test_adapted_recorded_and_refused_by_strict(cohort, cli, edit, refuses, tmp_path, assert_bounded, name):
    change, code, tag = ADAPTED[name]
    expected = sound_twin(name, cohort / "B", edit)
    edit(cohort / "B", change)
    done = cli("check", cohort / "cohort.csv", "--json")
    assert done.status == 0
    assert_bounded(done)
    told = [one for one in done.json()["warnings"] if code == one["code"] and tag in one["message"]]
    assert [one["subject"] for one in told] == ["case B"]
    assert [row["notes"] for row in done.json()["rows"]] == [0, 1, 0]
    found = read_pet(cohort / "B")
    assert np.abs(found.volume.voxels - expected).max() <= 1e-4 * expected.max()
    assert [(note.code, note.tag) for note in found.notes] == [(code, tag)]

    strict = cli("check", cohort / "cohort.csv", "--strict", "--json")
    assert strict.status == 1
    (fault,) = strict.json()["faults"]
    assert fault["code"] == "PP-SUV-STRICT"
    assert fault["subject"].startswith("case B")
    assert f"[{code}] {tag}" in fault["message"]
    imported = cli("import", cohort, "-o", tmp_path / "out", "--strict")
    assert imported.status == 3
    assert f"[{code}] {tag}" in imported.err
    assert "2 cases imported" in imported.out


def test_the_manifest_supplies_what_31_34_and_39_lack(cohort, cli, edit):
    edit(cohort / "B", put(PatientWeight=None))
    edit(cohort / "B", drug(RadionuclideTotalDose=None))
    edit(cohort / "B", drug(RadiopharmaceuticalStartTime="", RadiopharmaceuticalStartDateTime=""))
    text = (cohort / "cohort.csv").read_text().splitlines()
    text[0] += ",weight_kg,dose_bq,injection_time"
    text[1:] = [line + (",70,300e6,09:30" if line.startswith("B") else ",,,") for line in text[1:]]
    (cohort / "cohort.csv").write_text("\n".join(text) + "\n")
    done = cli("check", cohort / "cohort.csv", "--strict", "--json")
    assert done.status == 0, done.out
    assert done.json()["rows"][1]["weight_kg"] == 70
