import numpy as np
import pytest

from pointpet.core import ActivationMap, GeometryError, Mask, Plane, Prediction
from pointpet.evaluate.case_measures import MEASURES, measure_case

AFFINE = np.diag([4.0, 4.0, 4.0, 1.0])
SHAPE = (16, 18, 20)


def box(*slices: slice) -> np.ndarray:
    voxels = np.zeros(SHAPE, bool)
    voxels[slices] = True
    return voxels


TRUE = box(slice(4, 8), slice(6, 10), slice(8, 12))
FOUND = box(slice(5, 9), slice(6, 10), slice(8, 12))
HULL = box(slice(4, 8), slice(4, 12), slice(8, 12))
TRUTH_PICTURES = {Plane.CORONAL: TRUE.any(axis=1), Plane.SAGITTAL: TRUE.any(axis=0)}


def peak_map(plane: Plane, cell: tuple[int, int]) -> ActivationMap:
    values = np.zeros(TRUTH_PICTURES[plane].shape, np.float32)
    values[cell] = 1.0
    return ActivationMap(values, plane, "lung", 4.0)


def prediction(**changes) -> Prediction:
    fields = {
        "mask": Mask(FOUND, AFFINE),
        "hull": Mask(HULL, AFFINE),
        "maps": {Plane.CORONAL: peak_map(Plane.CORONAL, (5, 9)), Plane.SAGITTAL: peak_map(Plane.SAGITTAL, (11, 9))},
    }
    return Prediction("P001", **(fields | changes))


def test_a_volume_with_maps_fills_every_column():
    projected = {Plane.CORONAL: FOUND.any(axis=1), Plane.SAGITTAL: FOUND.any(axis=0)}
    measures = measure_case(prediction(), Mask(TRUE, AFFINE), TRUTH_PICTURES, predicted_pictures=projected)
    assert tuple(measures) == MEASURES
    voxel_ml = 0.064
    expected = {
        "dice": 0.75,
        "dice_hull": 2 * 64 / (64 + 128),
        "nsd_2mm": measures["nsd_2mm"],
        "hd95_mm": 4.0,
        "sensitivity": 0.75,
        "fp_ml": 16 * voxel_ml,
        "fn_ml": 16 * voxel_ml,
        "hit": 1.0,
        "hit_strict": 0.0,
        "distance_mm": 8.0,
        "mtv_ml": 64 * voxel_ml,
        "mtv_true_ml": 64 * voxel_ml,
        "dice_coronal": 0.75,
        "dice_sagittal": 1.0,
        "fp_cm2": None,
        "fn_cm2": None,
    }
    assert measures == pytest.approx(expected)
    assert 0 < measures["nsd_2mm"] < 1


def test_an_empty_mask_counts_as_the_worst():
    empty = Mask(np.zeros(SHAPE, bool), AFFINE)
    measures = measure_case(prediction(mask=empty, hull=empty), Mask(TRUE, AFFINE), TRUTH_PICTURES)
    assert (measures["dice"], measures["dice_hull"], measures["nsd_2mm"], measures["sensitivity"]) == (0, 0, 0, 0)
    assert measures["hd95_mm"] == pytest.approx(4 * np.linalg.norm(SHAPE))
    assert measures["mtv_ml"] == 0.0


def test_methods_without_maps_have_no_hit_and_no_hull():
    measures = measure_case(prediction(maps={}, hull=None), Mask(TRUE, AFFINE), TRUTH_PICTURES)
    assert measures["dice"] == pytest.approx(0.75)
    assert [measures[name] for name in ("hit", "hit_strict", "distance_mm", "dice_hull")] == [None] * 4


@pytest.mark.parametrize("lesion_free", [True, False])
def test_a_case_without_lesions_counts_false_positives_only(lesion_free):
    truth = None if lesion_free else Mask(np.zeros(SHAPE, bool), AFFINE)
    pictures = {} if lesion_free else {plane: np.zeros_like(p) for plane, p in TRUTH_PICTURES.items()}
    measures = measure_case(prediction(), truth, pictures, lesion_free=lesion_free)
    assert measures["fp_ml"] == pytest.approx(64 * 0.064)
    assert measures["mtv_true_ml"] == 0.0
    assert [measures[name] for name in ("dice", "dice_hull", "nsd_2mm", "hd95_mm", "sensitivity")] == [None] * 5
    assert [measures[name] for name in ("hit", "hit_strict", "distance_mm")] == [None] * 3


def test_a_case_whose_truth_is_unknown_has_a_volume_only():
    measures = measure_case(prediction(), None, {})
    assert measures["mtv_ml"] == pytest.approx(64 * 0.064)
    assert all(value is None for name, value in measures.items() if name != "mtv_ml")


def test_ready_made_pictures_are_measured_in_2d():
    found = {Plane.CORONAL: FOUND.any(axis=1), Plane.SAGITTAL: FOUND.any(axis=0)}
    answer = prediction(mask=None, hull=None, picture_masks=found)
    measures = measure_case(answer, None, TRUTH_PICTURES)
    assert measures["dice"] == pytest.approx((0.75 + 1.0) / 2)
    assert measures["dice_coronal"] == pytest.approx(0.75)
    assert measures["sensitivity"] == pytest.approx((0.75 + 1.0) / 2)
    assert measures["hd95_mm"] == pytest.approx(4.0)
    assert measures["hit"] == 1.0
    assert [measures[name] for name in ("fp_ml", "fn_ml", "mtv_ml", "mtv_true_ml")] == [None] * 4
    excess, missed = (
        sum(np.count_nonzero(a[plane] & ~b[plane]) for plane in Plane)
        for a, b in ((found, TRUTH_PICTURES), (TRUTH_PICTURES, found))
    )
    edge_cm2 = answer.maps[Plane.CORONAL].pixel_mm ** 2 / 100
    assert (measures["fp_cm2"], measures["fn_cm2"]) == pytest.approx((excess * edge_cm2, missed * edge_cm2))
    assert excess > 0 < missed


def test_what_is_drawn_in_a_picture_of_a_control_is_false_positive():
    found = {Plane.CORONAL: FOUND.any(axis=1)}
    answer = prediction(mask=None, hull=None, picture_masks=found)
    measures = measure_case(answer, None, {}, lesion_free=True, pixel_mm=5.0)
    assert measures["fp_cm2"] == pytest.approx(np.count_nonzero(found[Plane.CORONAL]) * 0.25)
    assert measures["fn_cm2"] == 0
    assert all(value is None for name, value in measures.items() if name not in ("fp_cm2", "fn_cm2"))


def test_pictures_without_a_pixel_size_have_no_distances():
    found = {Plane.CORONAL: FOUND.any(axis=1)}
    without = measure_case(Prediction("P001", picture_masks=found), None, TRUTH_PICTURES)
    assert without["dice"] == pytest.approx(0.75)
    assert without["hd95_mm"] is without["nsd_2mm"] is None
    given = measure_case(Prediction("P001", picture_masks=found), None, TRUTH_PICTURES, pixel_mm=2.0)
    assert given["hd95_mm"] == pytest.approx(2.0)


def test_a_projection_of_another_shape_is_refused():
    with pytest.raises(GeometryError, match="coronal predicted picture mask: must have the truth's shape"):
        measure_case(
            prediction(),
            Mask(TRUE, AFFINE),
            TRUTH_PICTURES,
            predicted_pictures={Plane.CORONAL: np.ones((2, 2), bool)},
        )
