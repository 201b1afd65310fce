import numpy as np
import pytest

from pointpet.core import Candidates, GeometryError


def test_candidates_hold_one_row_a_place_and_cannot_be_changed() -> None:
    found = Candidates(np.zeros((2, 3)), np.ones((2, 5)))
    assert len(found) == 2
    assert found.features.dtype == np.float32
    with pytest.raises(ValueError, match="read-only"):
        found.world_mm[0, 0] = 1.0


@pytest.mark.parametrize(("places", "features"), [((2, 2), (2, 5)), ((2, 3), (3, 5)), ((2, 3), (2,))])
def test_shapes_that_do_not_fit_are_refused(places: tuple, features: tuple) -> None:
    with pytest.raises(GeometryError, match=r"need world_mm \(N, 3\) and features \(N, F\)"):
        Candidates(np.zeros(places), np.zeros(features))


@pytest.mark.parametrize(("name", "wrong"), [("world_mm", np.nan), ("world_mm", np.inf), ("features", -np.inf)])
def test_values_that_are_not_finite_are_refused(name: str, wrong: float) -> None:
    arrays = {"world_mm": np.zeros((2, 3)), "features": np.ones((2, 5))}
    arrays[name][1, 2] = wrong
    with pytest.raises(GeometryError, match=f"need finite {name}, got 1 values that are not"):
        Candidates(**arrays)
