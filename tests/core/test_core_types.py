"""What the core types hold and refuse: every array's type, read-only, and what each refusal says, word by word."""

import numpy as np
import pytest

from pointpet.core import (
    ActivationMap,
    Candidates,
    Case,
    Cohort,
    CohortError,
    Faults,
    FeatureTable,
    GeometryError,
    Grid,
    Mask,
    MipPair,
    Plane,
    Unit,
    Volume,
    derive_seed,
    generator,
)
from pointpet.core.mip import TurnedMips
from pointpet.core.volume import check_affine, require_same_grid

EYE = np.eye(4)
VIEW = np.ones((3, 4))
FLAT = EYE.copy()
FLAT[:3, 2] = FLAT[:3, 0]
INTO_NOTHING = np.array([[2, 0, 0, 0], [0, 3.00004, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1.0]])


def features(values: object, names: tuple[str, ...] = ("a", "b")) -> FeatureTable:
    return FeatureTable(("P1",), names, ("", ""), ("", ""), values)  # type: ignore[arg-type]


def elsewhere() -> None:
    require_same_grid("P1", Volume(np.ones((2, 2, 2)), EYE), Mask(np.ones((2, 2, 3), bool), EYE))  # type: ignore[arg-type]


REFUSED = {
    "PP-CANDIDATES-SHAPE": (
        lambda: Candidates(np.zeros((2, 3)), np.zeros((1, 5))),  # type: ignore[arg-type]
        "candidates: need world_mm (N, 3) and features (N, F), got (2, 3) and (1, 5). Give one row of features for "
        "each place.",
    ),
    "PP-CANDIDATES-FINITE": (
        lambda: Candidates(np.full((1, 3), np.nan), np.zeros((1, 5))),  # type: ignore[arg-type]
        "candidates: need finite world_mm, got 3 values that are not. Look for them in a scan whose SUV are finite, "
        "with an affine that is.",
    ),
    "PP-COHORT-ID": (
        lambda: Case("a b"),
        "case_id: must be 1 to 64 letters, digits, '-' or '_', got 'a b'. Rename the case.",
    ),
    "PP-COHORT-DUPLICATE": (
        lambda: Cohort((Case("B"), Case("A"), Case("B"), Case("A"))),
        "case_id: must be unique, repeated: A, B. Rename them.",
    ),
    "PP-FEATURES-SHAPE": (
        lambda: features(np.zeros((2, 2))),
        "feature table: needs 1 rows and 2 columns, got (2, 2). Give one row a case and one column a feature.",
    ),
    "PP-MIP-EMPTY": (lambda: MipPair(None, None, 2.0), "MIP: needs at least one view, got none. Give one."),
    "PP-MIP-PIXEL": (lambda: MipPair(VIEW, None, 0.0), "MIP: pixel_mm must be over 0, got 0.0. Correct it."),  # type: ignore[arg-type]
    "PP-MIP-SHAPE": (lambda: MipPair(None, np.ones(3), 2.0), "sagittal MIP: must be 2D, got (3,). Correct it."),  # type: ignore[arg-type]
    "PP-MIP-HEIGHT": (
        lambda: MipPair(VIEW, np.ones((3, 5)), 2.0, np.zeros(3)),  # type: ignore[arg-type]
        "MIP pair: both views of one volume must share z. Project both from one volume.",
    ),
    "PP-MIP-WORLD": (
        lambda: MipPair(VIEW, None, 2.0).pixels(Plane.CORONAL, np.zeros(3)),  # type: ignore[arg-type]
        "MIP: has no world coordinates (ready-made picture). Give the point in pixels.",
    ),
    "PP-CAM-RANGE": (
        lambda: ActivationMap(2 * VIEW, Plane.CORONAL, "lung", 2.0),  # type: ignore[arg-type]
        "coronal activation map: must be 2D with values in [0, 1]. Normalise it first.",
    ),
    "PP-GEO-AFFINE": (
        lambda: check_affine(np.eye(3)),
        "affine: must be a finite 4 x 4 matrix, got shape (3, 3). Correct the header.",
    ),
    "PP-GEO-SHAPE": (lambda: Grid((2, 2), EYE), "grid: needs three axes, got shape (2, 2). Give a 3D image."),  # type: ignore[arg-type]
    "PP-MASK-TYPE": (
        lambda: Mask(np.ones((1, 1, 1)), EYE),  # type: ignore[arg-type]
        "mask: voxels must be boolean, got float64. Compare with a threshold first.",
    ),
    "PP-GEO-GRID": (
        elsewhere,
        "P1: the mask must lie on the PET's grid (2, 2, 2) at [1.0, 1.0, 1.0] mm, got (2, 2, 3) at [1.0, 1.0, 1.0] mm. "
        "Resample the mask onto the PET, or write 1 into mask_resample of its row in cohort.csv.",
    ),
}


@pytest.mark.parametrize("code", REFUSED)
def test_a_refusal_says_what_is_wrong_and_what_to_do(code: str) -> None:
    refused, said = REFUSED[code]
    with pytest.raises((GeometryError, CohortError)) as caught:
        refused()
    assert (caught.value.code, str(caught.value)) == (code, said)


@pytest.mark.parametrize(("affine", "sizes"), [(FLAT, "[1.0, 1.0, 1.0]"), (INTO_NOTHING, "[2.0, 3.0, 0.0]")])
def test_axes_that_do_not_span_space_are_refused(affine: np.ndarray, sizes: str) -> None:
    with pytest.raises(GeometryError) as caught, np.errstate(invalid="ignore"):
        check_affine(affine)
    assert caught.value.code == "PP-GEO-SINGULAR"
    assert str(caught.value) == (
        f"affine: its axes must span space, got voxel sizes {sizes} mm and determinant 0. Correct the "
        "header's orientation and spacing."
    )


def test_several_faults_are_listed_one_a_line() -> None:
    faults = [CohortError("PP-A", "row 1", "is wrong", "Mend it"), CohortError("PP-B", "row 2", "too", "And it")]
    assert str(Faults("c.csv", faults)) == (
        "c.csv: 2 faults\n  [PP-A] row 1: is wrong. Mend it.\n  [PP-B] row 2: too. And it."
    )
    assert str(Faults("c.csv", faults[:1])).splitlines()[0] == "c.csv: 1 fault"


ARRAYS = {
    "candidates, places": (lambda: Candidates([[1, 2, 3]], [[4]]).world_mm, np.float64),  # type: ignore[arg-type]
    "candidates, features": (lambda: Candidates([[1, 2, 3]], [[4]]).features, np.float32),  # type: ignore[arg-type]
    "feature table": (lambda: features([[1, 2]]).values, np.float64),
    "coronal": (lambda: MipPair(VIEW, None, 2).coronal, np.float32),  # type: ignore[arg-type]
    "sagittal": (lambda: MipPair(None, VIEW, 2).sagittal, np.float32),  # type: ignore[arg-type]
    "origin of a MIP": (lambda: MipPair(VIEW, None, 2, [1, 2, 3]).origin_mm, np.float64),  # type: ignore[arg-type]
    "turn": (lambda: TurnedMips(MipPair(VIEW, None, 2), np.eye(4, dtype=int)).matrix, np.float64),  # type: ignore[arg-type]
    "map": (lambda: ActivationMap(VIEW, Plane.CORONAL, "lung", 2).values, np.float32),  # type: ignore[arg-type]
    "origin of a map": (lambda: ActivationMap(VIEW, Plane.CORONAL, "lung", 2, [1, 2, 3]).origin_mm, np.float64),  # type: ignore[arg-type]
    "affine": (lambda: Grid((1, 1, 1), np.eye(4, dtype=int)).affine, np.float64),  # type: ignore[arg-type]
    "volume": (lambda: Volume(np.ones((1, 1, 1), int), EYE).voxels, np.float32),  # type: ignore[arg-type]
    "mask": (lambda: Mask(np.ones((1, 1, 1), bool), EYE).voxels, np.bool_),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_have_their_type_and_cannot_be_written(name: str) -> None:
    make, dtype = ARRAYS[name]
    array = make()
    assert array is not None
    assert array.dtype == dtype
    with pytest.raises(ValueError, match="read-only"):
        array[...] = 0


def test_names_become_members_and_lists_tuples() -> None:
    volume = Volume(np.ones((1, 1, 1)), EYE, "g/mL")  # type: ignore[arg-type]
    assert volume.unit is Unit.SUVBW
    assert ActivationMap(VIEW, "coronal", "lung", 2.0).plane is Plane.CORONAL  # type: ignore[arg-type]
    assert isinstance(Cohort([Case("A")]).cases, tuple)  # type: ignore[arg-type]


def test_streams_depend_on_seed_and_names_alone() -> None:
    assert derive_seed(1, "a", 2) == derive_seed(1, "a", "2") == 2011893704  # on every machine
    first, again = generator(1, "a").integers(2**40, size=4), generator(1, "a").integers(2**40, size=4)
    assert (first == again).all()
    for other in (generator(2, "a"), generator(1, "b"), generator(1, "a", "")):
        assert (first != other.integers(2**40, size=4)).any()
