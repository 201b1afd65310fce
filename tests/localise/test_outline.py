import numpy as np
import pytest

from pointpet.localise import RULES, LocaliseSettings
from pointpet.localise.neighbourhood import cut


def test_every_rule_has_a_summary_of_one_line():
    for name, rule in RULES.items():
        assert rule.name == name
        assert rule.summary
        assert "\n" not in rule.summary


@pytest.mark.parametrize("name", RULES)
def test_no_rule_leaves_the_allowed_voxels(name, blobs):
    volume = blobs.volume(((60.0, 80.0, 100.0), 20.0, 8.0))
    allowed = np.zeros(volume.voxels.shape, bool)
    allowed[10:16] = True
    around = cut(volume.voxels, volume.affine[:3, :3], (15, 20, 25), extent_mm=60.0, allowed=allowed)
    region = RULES[name].draw(around, LocaliseSettings()).region
    assert around.allowed is not None
    assert region.any()
    assert not region[~around.allowed].any()


@pytest.mark.parametrize("name", RULES)
def test_every_rule_works_in_two_dimensions(name, blobs):
    picture = blobs.volume(((60.0, 80.0, 100.0), 20.0, 8.0)).voxels[:, 20]
    around = cut(picture, np.eye(2) * 4, (15, 25), extent_mm=60.0)
    found = around.paste(RULES[name].draw(around, LocaliseSettings()).region, picture.shape)
    truth = picture > 1
    # `reach` smooths its edge by 5 mm, which adds a rim to a sharp disc.
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.85
