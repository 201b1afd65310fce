"""Our values against what IBSI published. Data: see the README of the real data; nothing of it is in the project."""

import csv

import pytest

from pointpet.core import Unit
from pointpet.io.nifti import read_mask, read_nifti
from pointpet.quantify.radiomics import FEATURES, RadiomicsSettings, radiomic_features, radiomics_backend
from pointpet.quantify.radiomics.conformance import (
    Consensus,
    by_tag,
    matches_reference,
    phantom_region,
    reference_tag,
)
from pointpet.quantify.radiomics.features import region_values


def read_table(path):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.realdata
def test_every_feature_matches_the_digital_phantom(real_data):
    folder = real_data / "ibsi_digital_phantom"
    volume = read_nifti(folder / "nifti" / "image" / "phantom.nii.gz", Unit.SUVBW)
    mask = read_mask(folder / "nifti" / "mask" / "mask.nii.gz", volume)
    values = by_tag(region_values(phantom_region(volume, mask), radiomics_backend().name))
    wrong, seen = {}, set()
    for row in read_table(folder / "reference_values.csv"):
        tag = reference_tag(row["family"], row["tag"])
        if tag is None or not row["reference value"]:
            continue
        seen.add(tag)
        if not matches_reference(values[tag], row["reference value"], float(row["tolerance"])):
            wrong[tag] = (values[tag], row["reference value"], row["tolerance"])
    assert wrong == {}
    assert seen == {feature.tag for feature in FEATURES}


@pytest.mark.realdata
def test_intensity_features_of_the_sarcomas_lie_where_the_teams_agree(real_data):
    consensus = read_table(real_data / "sts" / "ibsi_consensus.csv")
    names = sorted({row["patient"] for row in consensus})
    assert len(names) == 34
    settings = RadiomicsSettings(spacing_mm=3.0, interpolation="cubic", mask_interpolation="linear")
    wrong, strong = {}, 0
    for name in names:
        place = real_data / "sts" / "nifti" / name
        volume = read_nifti(place / "PET_image.nii.gz", Unit.SUVBW)
        table = radiomic_features(volume, read_mask(place / "PET_mask.nii.gz", volume), settings)
        values = by_tag(dict(zip(table.ibsi_codes, table.values[0].tolist(), strict=True)))
        rows = [row for row in consensus if row["patient"] == name]
        assert len(rows) == 18
        for row in rows:
            low, high, median = (float(row[part]) for part in ("min", "max", "median"))
            found = Consensus(median, int(row["n_teams"]), int(row["n_within_1pct"]), low, high)
            strong += found.is_strong
            if not found.accepts(values[row["feature_tag"]]):
                wrong[name, row["feature_tag"]] = (values[row["feature_tag"]], found)
    assert wrong == {}
    assert strong == 577


@pytest.mark.parametrize(
    ("value", "reference", "tolerance", "expected"),
    [
        (0.03974, "0.0397", 0.0, True),
        (0.03976, "0.0397", 0.0, False),
        (0.0401, "0.0397", 0.0003, False),
        (0.0400, "0.0397", 0.0003, True),
        (1204.9, "1200", 0.0, True),
        (1206.0, "1200", 0.0, False),
        (556.6, "556", 0.0, False),
        (-0.3549, "-0.355", 0.0, True),
        (float("nan"), "1", 1.0, False),
    ],
)
def test_a_reference_value_counts_to_its_last_digit(value, reference, tolerance, expected):
    assert matches_reference(value, reference, tolerance) is expected


def test_a_strong_consensus_asks_for_one_percent_a_weak_one_for_the_range():
    strong = Consensus(median=2.0, teams=8, within=6, low=1.0, high=3.0)
    assert strong.is_strong
    assert strong.accepts(2.019)
    assert not strong.accepts(2.021)
    weak = Consensus(median=2.0, teams=8, within=5, low=1.0, high=3.0)
    assert not weak.is_strong
    assert weak.accepts(2.9)
    assert weak.accepts(3.000002)
    assert not weak.accepts(3.00001)
    assert not weak.accepts(0.9)


def test_other_aggregations_of_the_phantom_are_left_out():
    assert reference_tag("Statistics", "stat_mean") == "stat_mean"
    assert reference_tag("Co-occurrence matrix (3D, merged)", "cm_corr_3D_comb") == "cm_corr"
    assert reference_tag("Size zone matrix (3D)", "szm_sze_3D") == "szm_sze"
    assert reference_tag("Co-occurrence matrix (3D, averaged)", "cm_corr_3D_avg") is None
    assert reference_tag("Size zone matrix (2.5D)", "szm_sze_2_5D") is None
