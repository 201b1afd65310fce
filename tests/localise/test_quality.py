import numpy as np
import pytest

from pointpet.core import ActivationMap, Flag, Mask, Plane
from pointpet.localise.candidates import MAP_FLOOR, WeightedCandidates
from pointpet.localise.localise import localise
from pointpet.localise.quality import are_blind, touches_border
from pointpet.localise.settings import LocaliseSettings
from pointpet.project import project

SHOWN, HIDDEN = (40.0, 60.0, 40.0), (120.0, 100.0, 160.0)


@pytest.mark.parametrize(
    ("index", "margin_mm", "touches"),
    [((0, 5, 5), 0.0, True), ((9, 5, 5), 0.0, True), ((1, 5, 5), 0.0, False), ((1, 5, 5), 4.0, True)],
)
def test_border_layers(index, margin_mm, touches):
    voxels = np.zeros((10, 10, 10), bool)
    voxels[index] = True
    assert touches_border(Mask(voxels, np.diag([4.0, 4.0, 4.0, 1.0])), margin_mm) is touches


@pytest.mark.parametrize(("weights", "blind"), [((0.0, 1.0), True), ((1.0, 0.0), False)])
def test_a_lesion_that_neither_map_shows_is_flagged(blobs, weights, blind: bool):
    """Two balls: the maps show one, and the candidates speak for either."""
    volume = blobs.volume((SHOWN, 14.0, 8.0), (HIDDEN, 14.0, 8.0))
    mips = project(volume, pixel_mm=4.0)
    bumps = {plane: blobs.map(plane, SHOWN, 12.0, origin_mm=mips.origin_mm) for plane in Plane}
    candidates = WeightedCandidates(np.array([SHOWN, HIDDEN]), np.array(weights), 12.0)
    found = localise(volume, bumps, LocaliseSettings(), mips=mips, candidates=candidates)
    assert np.linalg.norm(found.seeds_mm[0] - (HIDDEN if blind else SHOWN)) < 14
    assert (Flag.MAPS_BLIND in found.flags) is blind


@pytest.mark.parametrize(("coronal", "sagittal", "blind"), [(0.9, 0.9, True), (1.1, 0.9, False), (0.9, 1.1, False)])
def test_maps_are_blind_where_both_lie_under_what_every_place_is_given(coronal, sagittal, blind: bool):
    """As shares of the floor; the maps' peaks are a half."""
    maps = {}
    for plane, share in zip(Plane, (coronal, sagittal), strict=True):
        values = np.full((20, 20), 0.5 * share * MAP_FLOOR, np.float32)
        values[0, 0] = 0.5
        maps[plane] = ActivationMap(values, plane, "lung", 4.0, np.zeros(3))
    assert are_blind(maps, np.array([40.0, 40.0, 40.0])) is blind
    assert not are_blind({}, np.zeros(3))
