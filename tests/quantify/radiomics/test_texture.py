"""The counts against slow loops over voxels, and the features against MIRP's own way to them."""

from collections import Counter
from itertools import product

import numpy as np
import pytest

from pointpet.quantify.radiomics.catalogue import FEATURES
from pointpet.quantify.radiomics.features import region_values
from pointpet.quantify.radiomics.region import Region, prepare_region
from pointpet.quantify.radiomics.settings import RadiomicsSettings
from pointpet.quantify.radiomics.texture import DIRECTIONS, NEIGHBOURS, Texture

STEPS = [np.array(step) for step in product((-1, 0, 1), repeat=3) if any(step)]

TEXTURE = ("cm", "rlm", "szm", "dzm", "ngt", "ngl")


@pytest.fixture
def region():
    """A ragged region with a hole, with voxels of the shape that the intensity mask leaves out, at the box's border."""
    rng = np.random.default_rng(3)
    shape = rng.random((6, 5, 7)) < 0.75
    shape[2, 2, 3] = False
    inside = shape & (rng.random(shape.shape) < 0.9)
    # Fortran's order: what comes from SimpleITK is transposed.
    levels = np.asfortranarray(rng.integers(2, 6, shape.shape).astype(np.int32))
    return Region(levels * 0.25, shape, inside, levels, (3.0, 3.0, 3.0))


def level_of(region, place):
    """Grey level at a place, 0 outside the box or the intensity mask."""
    if (place < 0).any() or (place >= region.inside.shape).any() or not region.inside[tuple(place)]:
        return 0
    return int(region.levels[tuple(place)])


def counted(counts):
    return {(int(a), int(b)): int(n) for a, b, n in zip(*counts, strict=True)}


def test_there_are_26_neighbours_in_13_directions():
    assert len(NEIGHBOURS) == 26
    assert {step for way in DIRECTIONS for step in (way, tuple(-one for one in way))} == set(NEIGHBOURS)


def test_pairs_of_neighbours(region):
    expected = Counter()
    for place, step in product(np.argwhere(region.inside), STEPS):
        if other := level_of(region, place + step):
            expected[level_of(region, place), other] += 1
    assert counted(Texture(region).co_occurrences()) == expected


def test_runs(region):
    expected = Counter()
    for place, step in product(np.argwhere(region.inside), DIRECTIONS):
        level = level_of(region, place)
        if level_of(region, place - step) != level:
            length = 1
            while level_of(region, place + length * np.array(step)) == level:
                length += 1
            expected[level, length] += 1
    assert counted(Texture(region).runs()) == expected


def test_zones_with_size_and_distance(region):
    # Distance: how often the shape can lose its outermost layer of face neighbours before the voxel goes.
    depth, left = np.zeros(region.shape.shape, int), {tuple(place) for place in np.argwhere(region.shape)}
    while left:
        for place in left:
            depth[place] += 1
        faces = [step for step in STEPS if np.abs(step).sum() == 1]
        left = {place for place in left if all(tuple(np.array(place) + step) in left for step in faces)}
    sizes, distances, todo = Counter(), Counter(), {tuple(place) for place in np.argwhere(region.inside)}
    while todo:
        zone, front = set(), [todo.pop()]
        level = level_of(region, np.array(front[0]))
        while front:
            place = front.pop()
            zone.add(place)
            near = {tuple(np.array(place) + step) for step in STEPS} & todo
            same = {other for other in near if level_of(region, np.array(other)) == level}
            todo -= same
            front += same
        sizes[level, len(zone)] += 1
        distances[level, min(depth[place] for place in zone)] += 1
    found = Texture(region).zones()
    assert counted(found[0]) == sizes
    assert counted(found[1]) == distances


def test_neighbourhoods(region):
    differences, voxels, alike = Counter(), Counter(), Counter()
    for place in np.argwhere(region.inside):
        level = level_of(region, place)
        around = [other for step in STEPS if (other := level_of(region, place + step))]
        alike[level, 1 + around.count(level)] += 1
        if around:
            differences[level] += abs(level - np.mean(around))
            voxels[level] += 1
    tones, dependences = Texture(region).neighbourhoods()
    assert counted(dependences) == alike
    assert dict(zip(tones.level, tones.times, strict=True)) == voxels
    assert dict(zip(tones.level, tones.difference, strict=True)) == pytest.approx(differences)


def test_one_voxel_has_no_neighbours():
    one = np.ones((1, 1, 1))
    texture = Texture(Region(one, one > 0, one > 0, one.astype(np.int32), (3.0, 3.0, 3.0)))
    assert texture.voxels == 1
    assert not len(texture.co_occurrences().times)
    assert not len(texture.neighbourhoods()[0].times)
    assert counted(texture.runs()) == {(1, 1): 13}


def test_mirp_gives_the_same_features_from_its_own_matrices(case):
    pytest.importorskip("mirp")
    from mirp._features.feature_generator import generate_features
    from mirp._images.ct_image import CTImage
    from mirp.settings.feature_parameters import FeatureExtractionSettingsClass

    from pointpet.quantify.radiomics.mirp_backend import ON_MATRICES, OTHER_CODES, _pair

    region = prepare_region(*case, RadiomicsSettings())
    assert region is not None
    image, mask = _pair(CTImage, region.levels.astype(float), region.shape, region.inside, region)
    settings = FeatureExtractionSettingsClass(
        by_slice=False,
        no_approximation=True,
        ibsi_compliant=True,
        base_feature_families=ON_MATRICES,
        base_discretisation_method="none",
    )
    ours = region_values(region, "mirp")
    compared = 0
    for feature in generate_features(settings=settings):
        code = OTHER_CODES.get(feature.ibsi_id, feature.ibsi_id)
        if code in ours:
            feature.compute(image=image, mask=mask)
            assert ours[code] == pytest.approx(feature.value, rel=1e-9), feature.name
            compared += 1
    assert compared == sum(feature.tag.partition("_")[0] in TEXTURE for feature in FEATURES)
