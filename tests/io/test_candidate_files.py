from pathlib import Path

import numpy as np
import pytest

from pointpet.core import Candidates, ImageReadError
from pointpet.io.candidate_files import read_candidates, write_candidates


def test_candidates_survive_a_file_of_equal_bytes(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    found = Candidates(random.normal(size=(7, 3)), random.normal(size=(7, 4)))
    for name in ("one.npz", "two.npz"):
        write_candidates(tmp_path / name, found)
    again = read_candidates(tmp_path / "one.npz", 4)
    np.testing.assert_array_equal(again.world_mm, found.world_mm)
    np.testing.assert_array_equal(again.features, found.features)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_a_damaged_file_says_prepare_again(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(ImageReadError, match=r"a\.npz: cannot be read as a part of the cache of pointpet"):
        read_candidates(tmp_path / "a.npz", 4)


def test_other_features_are_refused(tmp_path: Path) -> None:
    write_candidates(tmp_path / "a.npz", Candidates(np.zeros((7, 3)), np.zeros((7, 4))))
    with pytest.raises(ImageReadError, match=r"a\.npz: must hold 21 features of each candidate, got 4\. Remove it"):
        read_candidates(tmp_path / "a.npz", 21)


@pytest.mark.parametrize(("name", "wrong"), [("world_mm", np.nan), ("features", np.inf)])
def test_a_file_with_values_that_are_not_finite_says_prepare_again(tmp_path: Path, name: str, wrong: float) -> None:
    arrays = {"world_mm": np.zeros((7, 3)), "features": np.zeros((7, 4), np.float32)}
    arrays[name][3, 1] = wrong
    np.savez_compressed(tmp_path / "a.npz", **arrays)
    with pytest.raises(ImageReadError, match=r"a\.npz: cannot be read as a part of the cache .*prepare` again"):
        read_candidates(tmp_path / "a.npz", 4)


def test_a_file_cut_short_says_prepare_again(tmp_path: Path) -> None:
    write_candidates(tmp_path / "a.npz", Candidates(np.zeros((7, 3)), np.zeros((7, 4))))
    whole = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ImageReadError, match=r"a\.npz: cannot be read as a part of the cache .*prepare` again"):
        read_candidates(tmp_path / "a.npz", 4)
