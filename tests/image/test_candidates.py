import numpy as np
import pytest

from pointpet.core import Unit, Volume
from pointpet.image.candidates import FEATURES, KEPT, find_candidates
from pointpet.image.liver import right_lobe
from pointpet.phantom.generate import generate_case

LESIONS_MM = {(-40.0, 20.0, 60.0): 8.0, (30.0, -10.0, 120.0): 5.0}


def body(spacing: tuple[float, float, float] = (4.0, 4.0, 4.0), turn_deg: float = 0.0) -> Volume:
    """A cylinder of SUV 1 along z, middle x = y = 0, with a hot ball of 12 mm radius at each of `LESIONS_MM`; its
    voxels turned about z."""
    angle = np.deg2rad(turn_deg)
    axes = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]) @ np.diag(
        spacing
    )
    shape = np.ceil(np.array([280, 280, 200]) / spacing).astype(int)
    affine = np.eye(4)
    affine[:3, :3] = axes
    affine[:3, 3] = np.array([0, 0, 90]) - axes @ ((shape - 1) / 2)
    index = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), -1)
    world = index @ affine[:3, :3].T + affine[:3, 3]
    values = np.where(np.hypot(world[..., 0], world[..., 1]) < 110, 1.0, 0.0)
    values *= np.abs(world[..., 2] - 90) < 85
    for place, suv in LESIONS_MM.items():
        values = np.where(np.linalg.norm(world - place, axis=-1) < 12, suv, values)
    return Volume(values.astype(np.float32), affine, Unit.SUVBW)


def nearest(found, place: tuple[float, float, float]) -> int:
    return int(np.linalg.norm(found.world_mm - place, axis=1).argmin())


@pytest.mark.parametrize(("spacing", "turn"), [((4, 4, 4), 0.0), ((2.5, 2.5, 5), 0.0), ((4, 4, 3), 20.0)])
def test_the_hot_spots_come_first_whatever_the_grid(spacing: tuple, turn: float) -> None:
    found = find_candidates(body(spacing, turn))
    for place in LESIONS_MM:
        index = nearest(found, place)
        assert np.linalg.norm(found.world_mm[index] - place) <= 8
        assert index < 8


def test_axes_that_run_the_other_way_give_the_same_candidates() -> None:
    plain = body()
    affine = plain.affine @ np.diag([-1, -1, -1, 1])
    affine[:3, 3] = plain.grid.world(np.array(plain.voxels.shape) - 1)[0]
    flipped = Volume(plain.voxels[::-1, ::-1, ::-1], affine, plain.unit)
    first, second = find_candidates(plain), find_candidates(flipped)
    np.testing.assert_allclose(first.world_mm, second.world_mm, atol=1e-6)
    np.testing.assert_allclose(first.features, second.features, atol=1e-3)


def test_features_say_where_and_how_hot() -> None:
    found = find_candidates(body())
    right = found.features[nearest(found, (30.0, -10.0, 120.0))]
    left = found.features[nearest(found, (-40.0, 20.0, 60.0))]
    column = {name: index for index, name in enumerate(FEATURES)}
    assert right[column["right_of_middle_mm"]] == pytest.approx(30, abs=4)
    assert left[column["right_of_middle_mm"]] == pytest.approx(-40, abs=4)
    assert left[column["from_middle_mm"]] == pytest.approx(40, abs=4)
    assert left[column["log_suv"]] > right[column["log_suv"]] > np.log(2)
    # The body of 110 mm radius: (20 + 110) / 220 of the way from back to front, of its inner 96 %.
    assert left[column["depth_share"]] == pytest.approx(0.6, abs=0.06)
    # A ball of 12 mm radius holds 7.2 mL; over half of the smoothed maximum a little less or more.
    assert np.exp(left[column["log_volume_ml"]]) == pytest.approx(7.2, rel=0.35)
    assert left[column["log_over_far"]] == pytest.approx(left[column["log_suv"]], abs=0.1)
    from_liver = [name.endswith("_mm") and "liver" in name for name in FEATURES]
    assert (np.isfinite(found.features).all(axis=0) != from_liver).all()


def test_the_height_is_told_from_the_liver() -> None:
    case = generate_case(1, patients=2, seed=8, preset="default")
    lobe = right_lobe(case.volume)
    assert lobe is not None
    found = find_candidates(case.volume)
    column = {name: index for index, name in enumerate(FEATURES)}
    above = found.features[:, column["above_liver_mm"]]
    np.testing.assert_allclose(found.world_mm[:, 2] - above, np.percentile(lobe.world_mm[:, 2], 95), atol=1e-3)
    # The lobe reaches from its middle to its top: 30 to 80 mm. It lies to the patient's right.
    assert 30 < np.unique(np.round(found.features[:, column["above_liver_middle_mm"]] - above, 2)).item() < 80
    assert lobe.world_mm[:, 0].mean() > 20
    shifted = Volume(case.volume.voxels, np.array(case.volume.affine) + np.outer([7, -5, 90, 0], [0, 0, 0, 1]))
    np.testing.assert_allclose(find_candidates(shifted).features, found.features, atol=2e-2)


def test_without_a_liver_the_height_is_unknown() -> None:
    chest = np.full((60, 50, 65), 0.5, np.float32)
    chest[40:55, 10:40, 20:45] = 3.0  # large, even, on the right: not the liver, in a scan too short to tell
    short = find_candidates(Volume(chest, np.diag([4.0, 4, 4, 1]), Unit.SUVBW))
    assert len(short)
    assert np.isnan(short.features[:, FEATURES.index("above_liver_mm")]).all()


@pytest.mark.parametrize("shape", [(60, 60, 1), (60, 60, 2), (1, 60, 150), (60, 2, 150)])
def test_a_thin_scan_is_read(shape: tuple[int, int, int]) -> None:
    scan = np.random.default_rng(0).gamma(2.0, 1.0, shape).astype(np.float32)
    assert find_candidates(Volume(scan, np.diag([4.0, 4, 4, 1]), Unit.SUVBW)).features.shape[1] == len(FEATURES)


def test_an_empty_scan_has_none() -> None:
    found = find_candidates(Volume(np.zeros((20, 20, 20), np.float32), np.diag([4.0, 4, 4, 1]), Unit.SUVBW))
    assert found.features.shape == (0, len(FEATURES))


def test_no_more_are_kept_than_said() -> None:
    noise = np.random.default_rng(0).gamma(2.0, 1.0, (60, 60, 60)).astype(np.float32)
    assert len(find_candidates(Volume(noise, np.diag([4.0, 4, 4, 1]), Unit.SUVBW))) == KEPT


def test_a_nodule_on_the_flank_of_something_hot_is_found_though_it_has_no_maximum_of_its_own() -> None:
    index = np.stack(np.meshgrid(*[np.arange(70)] * 3, indexing="ij"), -1) * 4.0
    hot, nodule = np.array([100.0, 140.0, 140.0]), np.array([140.0, 140.0, 140.0])
    distance, aside = np.linalg.norm(index - hot, axis=-1), np.linalg.norm(index - nodule, axis=-1)
    body = np.where(np.hypot(index[..., 0] - 140, index[..., 1] - 140) < 120, 0.9, 0.0)
    values = body + 14 * np.exp(-(distance**2) / (2 * 24.0**2)) + 2.2 * np.exp(-(aside**2) / (2 * 6.0**2))
    along = values[25:46, 35, 35]
    assert (np.diff(along) < 0).all(), "the ray from the hot one through the nodule only falls"
    found = find_candidates(Volume(values.astype(np.float32), np.diag([4.0, 4.0, 4.0, 1.0]), Unit.SUVBW))
    assert np.linalg.norm(found.world_mm - nodule, axis=1).min() <= 6
