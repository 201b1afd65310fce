"""Tumours for the radiomics: a warm ball with a hot spot in a cool body."""

import numpy as np
import pytest

from pointpet.core import Mask, Volume

AFFINE = np.diag([4.0, 4.0, 3.0, 1.0])


@pytest.fixture
def case() -> tuple[Volume, Mask]:
    """A PET (24, 24, 28) at 4 x 4 x 3 mm and the mask of its tumour of 14 mm radius."""
    rng = np.random.default_rng(0)
    volume = Volume(np.zeros((24, 24, 28), np.float32), AFFINE)
    world = volume.grid.world(np.argwhere(np.ones((24, 24, 28), bool)))
    distance = np.linalg.norm(world - [45.0, 47.0, 41.0], axis=1).reshape(24, 24, 28)
    inside = distance <= 14.0
    voxels = np.where(inside, 6.0, 1.0) + 3.0 * np.exp(-((distance / 6.0) ** 2)) + rng.normal(0, 0.2, inside.shape)
    return Volume(voxels.astype(np.float32), AFFINE), Mask(inside, AFFINE)
