import numpy as np
import pytest

from pointpet.phantom.lesions import (
    LOOKS,
    LUNG_MM,
    OESOPHAGUS_MM,
    Lesion,
    Look,
    draw_latents,
    draw_nodes,
    lung_tumour,
    oesophageal_tumour,
    paint_lesion,
    second_uptake,
)
from pointpet.phantom.shapes import Canvas
from pointpet.phantom.thorax import Thorax

Chest = tuple[Canvas, Thorax]
SCALE = (1.0, 1.0, 1.0)


def extents(lesion: Lesion) -> list[float]:
    found = []
    for axis in range(3):
        line = lesion.patch.axes[axis]
        hit = line[(lesion.support > 0.5).any(axis=tuple(k for k in range(3) if k != axis))]
        found.append(float(hit[-1] - hit[0] + line[1] - line[0]))
    return found


def draw(kind, chest: Chest, seed: int, preset: str = "default") -> Lesion:
    rng = np.random.default_rng(seed)
    canvas, thorax = chest
    return kind(canvas, thorax, SCALE, draw_latents(rng), look=LOOKS[preset], rng=rng)


def test_lung_tumours_have_the_stated_range_of_sizes(chest: Chest) -> None:
    longest = np.array([max(extents(draw(lung_tumour, chest, seed))) for seed in range(40)])
    # A voxel of 3 mm on either side.
    assert longest.min() >= LUNG_MM[0] - 3
    assert longest.max() <= LUNG_MM[1] + 3
    assert longest.min() < 20
    assert longest.max() > 40


def test_lung_tumours_lie_mostly_inside_the_lungs(chest: Chest) -> None:
    _, thorax = chest
    shares = []
    for seed in range(20):
        lesion = draw(lung_tumour, chest, seed)
        lungs = np.zeros(chest[0].activity.shape, bool)
        lungs[thorax.patch.slices] = thorax.lungs < 0
        shares.append((lesion.support * lungs[lesion.patch.slices]).sum() / lesion.support.sum())
    assert np.mean(shares) > 0.85


def test_oesophageal_tumours_are_midline_tubes_in_front_of_the_spine(chest: Chest) -> None:
    _, thorax = chest
    order = np.argsort(thorax.oesophagus[:, 2])
    for seed in range(25):
        lesion = draw(oesophageal_tumour, chest, seed)
        assert OESOPHAGUS_MM[0] - 3 <= extents(lesion)[2] <= OESOPHAGUS_MM[1] + 3
        x, y, z = lesion.centre_mm
        path = thorax.oesophagus[order]
        assert x == pytest.approx(np.interp(z, path[:, 2], path[:, 0]), abs=12)
        assert y == pytest.approx(np.interp(z, path[:, 2], path[:, 1]), abs=12)


def test_a_larger_latent_size_gives_a_larger_tumour(chest: Chest) -> None:
    canvas, thorax = chest
    volumes = []
    for size in (-1.5, 0.0, 1.5):
        latents = {"size": size, "uptake": 0.0, "heterogeneity": 0.0, "shape": 0.0}
        lesion = lung_tumour(canvas, thorax, SCALE, latents, look=LOOKS["default"], rng=np.random.default_rng(0))
        volumes.append(lesion.traits["volume_ml"])
    assert volumes[0] < volumes[1] < volumes[2]


def test_uptake_is_uneven_and_its_spread_follows_the_latent(chest: Chest) -> None:
    canvas, thorax = chest
    spread = []
    for latent in (-1.5, 1.5):
        latents = {"size": 1.0, "uptake": 0.0, "heterogeneity": latent, "shape": 0.0}
        lesion = lung_tumour(canvas, thorax, SCALE, latents, look=LOOKS["default"], rng=np.random.default_rng(2))
        inside = lesion.uptake[lesion.support > 0.5]
        spread.append(inside.std() / inside.mean())
    assert 0.05 < spread[0] < spread[1]


def test_traits_of_a_uniform_ball_are_analytic(chest: Chest) -> None:
    canvas = Canvas(chest[0].axes, np.full_like(chest[0].activity, 2.0))
    smooth = Look(8.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    latents = {"size": 3.0, "uptake": 0.0, "heterogeneity": 0.0, "shape": 0.0}
    traits = lung_tumour(canvas, chest[1], SCALE, latents, look=smooth, rng=np.random.default_rng(0)).traits
    assert traits["suv"] == pytest.approx(8.0)
    assert traits["contrast"] == pytest.approx(4.0)
    assert traits["heterogeneity"] == pytest.approx(0.0, abs=1e-6)
    assert abs(traits["asphericity"]) < 0.05  # an ellipsoid of axes that differ by a few per cent
    assert traits["necrosis_share"] == 0


def test_some_large_tumours_have_a_cold_core_inside_their_support(chest: Chest) -> None:
    cores = [draw(lung_tumour, chest, seed) for seed in range(40)]
    necrotic = [lesion for lesion in cores if lesion.traits["necrosis_share"] > 0.05]
    assert 2 <= len(necrotic) <= 30
    depths = []
    for lesion in necrotic:
        inside = lesion.uptake[lesion.support > 0.5]
        depths.append(inside.min() / np.median(inside))
    # A core of few voxels shares them with its rim.
    assert max(depths) < 0.7
    assert np.median(depths) < 0.4


def test_nodes_come_with_either_class_and_have_one_distribution(chest: Chest) -> None:
    canvas, _ = chest
    counts = [len(draw_nodes(canvas, SCALE, LOOKS["default"], np.random.default_rng(seed))) for seed in range(60)]
    assert 0.3 < np.mean(np.array(counts) > 0) < 0.6
    assert max(counts) <= 13


def test_benign_uptake_stays_off_the_tumour_s_centre_and_only_where_the_look_has_it(chest: Chest) -> None:
    canvas, _ = chest
    main = draw(lung_tumour, chest, 1, "hard")
    assert all(not second_uptake(canvas, main, LOOKS["default"], np.random.default_rng(s)) for s in range(10))
    drawn = [item for s in range(40) for item in second_uptake(canvas, main, LOOKS["hard"], np.random.default_rng(s))]
    assert 5 < len(drawn) < 25
    assert all(14 < np.linalg.norm(item.centre_mm - main.centre_mm) < 80 for item in drawn if item.support.any())


def test_painting_a_lesion_replaces_what_lies_inside(chest: Chest) -> None:
    canvas = Canvas(chest[0].axes, chest[0].activity.copy())
    lesion = draw(lung_tumour, chest, 3)
    paint_lesion(canvas, lesion)
    core = lesion.support == 1
    np.testing.assert_allclose(canvas.activity[lesion.patch.slices][core], lesion.uptake[core], rtol=1e-5)
    outside = np.ones(canvas.activity.shape, bool)
    outside[lesion.patch.slices] = False
    np.testing.assert_array_equal(canvas.activity[outside], chest[0].activity[outside])
