import numpy as np
import pytest

from pointpet.core import Mask
from pointpet.localise.quality import touches_border


@pytest.mark.parametrize(
    ("index", "margin_mm", "touches"),
    [((0, 5, 5), 0.0, True), ((9, 5, 5), 0.0, True), ((1, 5, 5), 0.0, False), ((1, 5, 5), 4.0, True)],
)
def test_border_layers(index, margin_mm, touches):
    voxels = np.zeros((10, 10, 10), bool)
    voxels[index] = True
    assert touches_border(Mask(voxels, np.diag([4.0, 4.0, 4.0, 1.0])), margin_mm) is touches
