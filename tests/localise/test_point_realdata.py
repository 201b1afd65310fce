"""One click on real tumours. The floors lie a little under what `docs/results/sts_segment.md` records."""

import numpy as np
import pytest

from pointpet.core import Unit
from pointpet.io.nifti import read_mask, read_nifti
from pointpet.localise import segment_point

pytestmark = pytest.mark.realdata


def scores(real_data, rule):
    found = []
    for folder in sorted((real_data / "sts" / "nifti").iterdir())[::3]:
        volume = read_nifti(folder / "PET_image.nii.gz", Unit.SUVBW)
        mask = read_mask(folder / "PET_mask.nii.gz", volume)
        inside = mask.grid.world(np.argwhere(mask.voxels))
        point = inside[np.argmin(np.linalg.norm(inside - inside.mean(axis=0), axis=1))]
        region = segment_point(volume, point, rule=rule).mask.voxels
        found.append(2 * (region & mask.voxels).sum() / (region.sum() + mask.voxels.sum()))
    return np.array(found)


def test_the_default_rule_outlines_sarcomas_better_than_41_percent(real_data):
    default, plain = scores(real_data, None), scores(real_data, "click41")
    assert len(default) == 12
    assert np.median(default) > 0.78
    assert default.mean() > plain.mean() + 0.12
