import numpy as np
import pytest
from scipy.ndimage import binary_dilation, label

from pointpet.core import ConfigError, Unit, require_same_grid
from pointpet.phantom import PRESETS, PhantomCase, assigned_label, generate_case


@pytest.fixture(scope="module")
def hard_case() -> PhantomCase:
    return generate_case(2, patients=10, seed=5, preset="hard")


@pytest.fixture(scope="module")
def disease_cases() -> dict[str, PhantomCase]:
    cases = [generate_case(index, patients=2, seed=5, preset="disease") for index in (0, 1)]
    return {case.label: case for case in cases}


def test_labels_are_balanced() -> None:
    labels = [assigned_label(index, patients=195, seed=0, preset="default") for index in range(195)]
    assert labels.count("lung") == 98
    assert labels.count("oesophagus") == 97
    assert labels[:20] != ["lung", "oesophagus"] * 10


def test_a_case_does_not_depend_on_the_cohort_s_size() -> None:
    small, large = (
        [assigned_label(index, patients=patients, seed=1, preset="hard") for index in range(10)]
        for patients in (10, 100)
    )
    assert small == large


def test_same_seed_gives_the_same_case(lung_case: PhantomCase) -> None:
    again = generate_case(0, patients=1, seed=3, preset="default")
    np.testing.assert_array_equal(again.volume.voxels, lung_case.volume.voxels)
    np.testing.assert_array_equal(again.mask.voxels, lung_case.mask.voxels)
    np.testing.assert_array_equal(again.points_mm, lung_case.points_mm)
    assert again.outcomes == lung_case.outcomes
    assert again.traits == lung_case.traits
    assert again.acquisition == lung_case.acquisition


def test_without_its_tumour_a_patient_is_the_same_for_either_class() -> None:
    seed = next(s for s in range(20) if assigned_label(0, patients=2, seed=s, preset="hard") == "oesophagus")
    as_lung, as_oesophagus = (
        generate_case(0, patients=patients, seed=seed, preset="hard", tumour=False) for patients in (1, 2)
    )
    assert (as_lung.label, as_oesophagus.label) == ("lung", "oesophagus")
    np.testing.assert_array_equal(as_lung.volume.voxels, as_oesophagus.volume.voxels)
    np.testing.assert_array_equal(as_lung.volume.affine, as_oesophagus.volume.affine)
    assert as_lung.acquisition == as_oesophagus.acquisition
    assert as_lung.site == as_oesophagus.site


def test_removing_the_tumour_changes_its_neighbourhood_alone(lung_case: PhantomCase) -> None:
    bare = generate_case(0, patients=1, seed=3, preset="default", tumour=False)
    assert not bare.mask.voxels.any()
    assert not bare.nodes.voxels.any()
    assert bare.points_mm.shape == (0, 3)
    changed = np.abs(bare.volume.voxels - lung_case.volume.voxels) > 0.05
    lesions = lung_case.mask.voxels | lung_case.nodes.voxels
    # A blur of 7 mm at most fades to nothing within 12 mm: six voxels of 2 mm.
    assert not (changed & ~binary_dilation(lesions, iterations=6)).any()
    assert changed[lung_case.mask.voxels].mean() > 0.8


@pytest.mark.parametrize("name", ["lung_case", "oesophagus_case", "hard_case"])
def test_a_case_is_whole(name: str, request: pytest.FixtureRequest) -> None:
    case: PhantomCase = request.getfixturevalue(name)
    assert case.volume.unit is Unit.SUVBW
    assert case.volume.voxels.dtype == np.float32
    assert case.volume.grid.is_axis_aligned
    require_same_grid("mask", case.volume, case.mask)
    require_same_grid("nodes", case.volume, case.nodes)
    assert not (case.mask.voxels & case.nodes.voxels).any()
    assert case.mask.voxels.any()
    assert case.points_mm.shape == (1, 3)
    voxel = tuple(np.rint(case.volume.grid.indices(case.points_mm)[0]).astype(int))
    assert case.mask.voxels[voxel]
    assert set(case.outcomes) == {"response", "survival3y"}
    assert case.time_days is not None
    assert (case.time_days < 1095 and case.event == 1) == (case.outcomes["survival3y"] == 0)
    assert {"volume_ml", "heterogeneity", "suv", "probability_response", "latent_size"} <= set(case.traits)


@pytest.mark.parametrize("name", ["lung_case", "oesophagus_case", "hard_case"])
def test_the_scan_reaches_from_the_head_to_the_thighs(name: str, request: pytest.FixtureRequest) -> None:
    case: PhantomCase = request.getfixturevalue(name)
    height = case.volume.voxels.shape[2] * case.volume.spacing_mm[2]
    assert 895 <= height <= 1055
    assert 2.0 <= case.volume.spacing_mm.min() <= case.volume.spacing_mm.max() <= 5.5
    width = case.volume.voxels.shape[0] * case.volume.spacing_mm[0]
    assert 550 <= width <= 700


@pytest.mark.parametrize("name", ["lung_case", "oesophagus_case", "hard_case"])
def test_uptake_is_physiological(name: str, request: pytest.FixtureRequest) -> None:
    case: PhantomCase = request.getfixturevalue(name)
    voxels = case.volume.voxels
    assert voxels.min() == 0
    assert voxels.max() < 120
    head = voxels[:, :, -int(40 / case.volume.spacing_mm[2]) :]
    assert head.max() > 6  # brain
    top = voxels.shape[2] * case.volume.spacing_mm[2]
    pelvis = voxels[:, :, int(0.16 * top / case.volume.spacing_mm[2]) : int(0.4 * top / case.volume.spacing_mm[2])]
    assert pelvis.max() > 5  # bladder
    body = voxels[voxels > 0.1]
    assert 0.3 < np.median(body) < 1.0  # muscle and fat


def test_measured_volume_agrees_with_the_trait(lung_case: PhantomCase) -> None:
    assert lung_case.mask.volume_ml == pytest.approx(lung_case.traits["volume_ml"], rel=0.1)


def test_the_tumour_is_hotter_than_its_surroundings(oesophagus_case: PhantomCase) -> None:
    voxels, mask = oesophagus_case.volume.voxels, oesophagus_case.mask.voxels
    shell = binary_dilation(mask, iterations=6) & ~binary_dilation(mask, iterations=3)
    assert voxels[mask].mean() > 1.5 * voxels[shell].mean()


def test_disease_has_clean_controls_and_patients_with_lesions(disease_cases: dict[str, PhantomCase]) -> None:
    control, cancer = disease_cases["control"], disease_cases["cancer"]
    assert not control.mask.voxels.any()
    assert control.points_mm.shape == (0, 3)
    assert control.outcomes == {}
    assert control.time_days is None
    assert control.event is None
    assert cancer.mask.voxels.any()
    assert not cancer.nodes.voxels.any()
    assert 1 <= cancer.traits["lesions"] <= 40
    voxel = tuple(np.rint(cancer.volume.grid.indices(cancer.points_mm)[0]).astype(int))
    parts, _ = label(cancer.mask.voxels, np.ones((3, 3, 3)))
    clicked_ml = (parts == parts[voxel]).sum() * cancer.mask.grid.voxel_ml
    assert cancer.mask.voxels[voxel]
    assert clicked_ml > 0.7 * cancer.traits["volume_ml"]  # the trait is the largest lesion's


def test_unknown_preset_is_refused() -> None:
    with pytest.raises(ConfigError, match=f"preset: must be one of {', '.join(PRESETS)}, got 'easy'"):
        generate_case(0, patients=1, seed=0, preset="easy")


@pytest.mark.parametrize("index", [-1, 3])
def test_index_outside_the_cohort_is_refused(index: int) -> None:
    with pytest.raises(ConfigError, match=f"index: must be 0 to 2, got {index}"):
        generate_case(index, patients=3, seed=0, preset="default")
