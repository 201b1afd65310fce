"""Tumours, nodes and scattered lesions, in the patient's own millimetres."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cc3d
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from pointpet.phantom.body import SPINE_Y
from pointpet.phantom.outcomes import TRAIT_NAMES
from pointpet.phantom.shapes import Canvas, Field, Patch, ellipsoid, rotation_to, smooth_noise, tube
from pointpet.phantom.thorax import Thorax


@dataclass(frozen=True, eq=False)
class Lesion:
    """A lesion ready to paint.

    Args:
        patch: where it lies on the canvas.
        support: share of each voxel inside its sharp outline, necrotic core included.
        uptake: SUV of each voxel inside.
        centre_mm: (3,) centroid of the support.
        traits: what it is like before blur and noise: `volume_ml`; `suv` (mean inside); `heterogeneity` (coefficient of
            variation of the uptake inside); `contrast` (mean inside over what it replaced); `asphericity`
            ((A^3 / 36 pi V^2)^(1/3) - 1, IBSI 25C7); `necrosis_share`.
    """

    patch: Patch
    support: Field
    uptake: Field
    centre_mm: NDArray
    traits: dict[str, float]


@dataclass(frozen=True)
class Look:
    """How a preset's lesions look.

    Args:
        suv_median, suv_spread: lognormal uptake. suv_least: lower limit.
        roughness: amplitude of the outline's irregularity, share of the radius, for an average latent shape.
        unevenness: log-scale deviation of the uptake inside, for an average latent heterogeneity.
        necrosis: probability of a necrotic core in a tumour of 40 mm.
        touching: probability that a lung tumour may touch the heart or the chest wall.
        second: probability of a benign uptake beside the tumour.
    """

    suv_median: float
    suv_spread: float
    suv_least: float
    roughness: float
    unevenness: float
    necrosis: float
    touching: float
    second: float


LUNG_MM = (8.0, 60.0)
"""Least and greatest extent of a lung tumour."""

LUNG_MEDIAN_MM, LUNG_SPREAD = 32.0, 0.45
"""Lognormal diameter of a lung tumour before its outline is roughened: as in patients who are treated by chemotherapy
and radiation, most of 2 to 5 cm, and nodules of a centimetre seldom."""

OESOPHAGUS_MM = (20.0, 90.0)
"""Least and greatest extent of an oesophageal tumour along z."""

LOOKS = {
    "default": Look(8.5, 0.40, 3.5, 0.18, 0.26, 0.38, 0.06, 0.0),
    "hard": Look(6.8, 0.40, 3.4, 0.20, 0.28, 0.42, 0.22, 0.3),
    "disease": Look(7.0, 0.45, 3.0, 0.18, 0.27, 0.35, 0.3, 0.0),
}


def draw_latents(rng: np.random.Generator) -> dict[str, float]:
    """Latent traits, standard normal: the same for either class."""
    return {name: float(value) for name, value in zip(TRAIT_NAMES, rng.standard_normal(len(TRAIT_NAMES)), strict=True)}


def lung_tumour(
    canvas: Canvas,
    thorax: Thorax,
    scale: ArrayLike,
    latents: dict[str, float],
    *,
    look: Look,
    rng: np.random.Generator,
) -> Lesion:
    """A rounded, irregular tumour of 8 to 60 mm in a lung or at its hilum."""
    diameter = float(
        np.clip(LUNG_MEDIAN_MM * np.exp(LUNG_SPREAD * latents["size"]), 1.2 * LUNG_MM[0], 0.92 * LUNG_MM[1])
    )
    centre = _place_in_lung(thorax, scale, diameter / 2, rng, touching=rng.random() < look.touching)
    radii = 0.5 * diameter * np.exp(rng.normal(0, 0.07, 3))
    reach = 1.05 * diameter + 6
    patch = canvas.box(centre - reach, centre + reach)
    outline = ellipsoid(patch, centre, radii, rotation_to(rng.standard_normal(3)))
    outline = _sized(_roughen(outline, patch, diameter, latents, look, rng), patch, *LUNG_MM)
    return _finish(canvas, patch, outline, diameter, latents, look=look, rng=rng)


def oesophageal_tumour(
    canvas: Canvas,
    thorax: Thorax,
    scale: ArrayLike,
    latents: dict[str, float],
    *,
    look: Look,
    rng: np.random.Generator,
) -> Lesion:
    """An irregular sleeve of 20 to 90 mm along the oesophagus."""
    size = float(ndtr(latents["size"]))
    length = 18 * 4.3 ** (size**0.8)
    calibre = 7.5 + 9.5 * size * rng.uniform(0.75, 1.15)
    path = thorax.oesophagus * np.asarray(scale)
    low, high = path[-1, 2] + 0.5 * length, path[0, 2] - 0.5 * length - 25
    middle = low + (high - low) * rng.beta(1.1, 1.5)
    heights = middle + length * np.linspace(-0.5, 0.5, 7) * 0.98
    order = np.argsort(path[:, 2])
    line = np.column_stack([np.interp(heights, path[order, 2], path[order, axis]) for axis in range(3)])
    line[:, :2] += rng.normal(0, 1.5, 2)
    taper = np.sqrt(np.clip(1 - np.linspace(-1, 1, 7) ** 4, 0.15, 1)) * np.exp(rng.normal(0, 0.12, 7))
    radii = np.minimum(calibre * taper, 0.5 * length)
    ends = np.minimum(radii, 0.48 * length)
    line[0, 2] += ends[0]
    line[-1, 2] -= ends[-1]
    patch, outline, _ = tube(canvas, line, radii, margin=0.8 * calibre + 4)
    rough = _roughen(outline, patch, 2 * calibre, latents, look, rng)
    outline = _sized(rough, patch, *OESOPHAGUS_MM, axes=(2,))
    return _finish(canvas, patch, outline, 2 * calibre, latents, look=look, rng=rng)


def node(canvas: Canvas, centre: NDArray, diameter: float, suv: float, rng: np.random.Generator) -> Lesion:
    """A small oval lesion."""
    patch = canvas.box(centre - diameter - 4, centre + diameter + 4)
    radii = 0.5 * diameter * np.exp(rng.normal(0, 0.15, 3))
    outline = ellipsoid(patch, centre, radii, rotation_to(rng.standard_normal(3)))
    outline += 0.06 * diameter * smooth_noise(rng, patch.axes, max(0.4 * diameter, 4))
    uptake = suv * np.exp(0.15 * smooth_noise(rng, patch.axes, 6))
    return _lesion(canvas, patch, outline, uptake)


STATIONS = np.array(
    [
        (22, 36, 540),
        (-22, 38, 540),
        (18, 34, 565),
        (-8, 28, 495),
        (36, 34, 500),
        (-40, 34, 502),
        (46, 28, 480),
        (-50, 26, 482),
        (-18, 48, 525),
        (44, 30, 600),
        (-46, 30, 600),
        (6, 50, 555),
        (-6, 30, 450),
    ],
    float,
)
"""Lymph-node stations: x, distance in front of the spine, z, reference mm."""


NODE_CHANCE = 0.4
MOST_NODES = 4
NODE_MM = (7.0, 14.0)
"""Share of patients with nodes, the most of them, and their diameters."""


def draw_nodes(canvas: Canvas, scale: ArrayLike, look: Look, rng: np.random.Generator) -> list[Lesion]:
    """Malignant mediastinal, hilar and supraclavicular nodes: the same distribution for either class.

    Smaller and mostly fainter than a primary tumour, as a reader expects who has to tell one from the other.
    """
    if rng.random() > NODE_CHANCE:
        return []
    stations = STATIONS[rng.permutation(len(STATIONS))[: min(int(rng.geometric(0.5)), MOST_NODES)]]
    found = []
    for x, ahead, z in stations + rng.normal(0, 4, (len(stations), 3)):
        centre = np.array([x, float(SPINE_Y(z)) + ahead - 8, z]) * np.asarray(scale)
        suv = look.suv_median * 0.6 * float(np.exp(rng.normal(0, 0.3)))
        found.append(node(canvas, centre, float(rng.uniform(*NODE_MM)), suv, rng))
    return found


def second_uptake(canvas: Canvas, main: Lesion, look: Look, rng: np.random.Generator) -> list[Lesion]:
    """Benign uptake within two centimetres of the tumour, in no mask: inflammation beside either class's tumour."""
    if rng.random() > look.second:
        return []
    reach = 0.5 * (6 / np.pi * 1000 * main.traits["volume_ml"]) ** (1 / 3)
    direction = rng.standard_normal(3)
    distance = reach + rng.uniform(14, 24)
    centre = main.centre_mm + distance * direction / np.linalg.norm(direction)
    suv = main.traits["suv"] * float(rng.uniform(0.4, 0.8))
    return [node(canvas, centre, float(rng.uniform(8, 16)), suv, rng)]


def paint_lesion(canvas: Canvas, lesion: Lesion) -> None:
    """Put a lesion onto the canvas."""
    region = canvas.activity[lesion.patch.slices]
    region += lesion.support * (lesion.uptake - region)


def _place_in_lung(
    thorax: Thorax, scale: ArrayLike, radius: float, rng: np.random.Generator, *, touching: bool
) -> NDArray:
    """A centre in a lung, deep enough that most of the tumour is inside it and, unless `touching`, off the heart."""
    sizes = np.asarray(scale)
    reach = radius / float(sizes.min())
    candidates = np.argwhere(thorax.lungs < -3)
    candidates = candidates[rng.integers(len(candidates), size=400)]
    depth = -thorax.lungs[tuple(candidates.T)]
    places = np.column_stack([axis[index] for axis, index in zip(thorax.patch.axes, candidates.T, strict=True)])
    to_heart = np.linalg.norm(places - thorax.heart_centre, axis=1) - thorax.heart_radius
    wanted = np.minimum(0.75 * reach, 26)
    if touching:
        near = (to_heart < reach + 6) & (to_heart > 0.35 * reach) & (depth > 0.3 * reach)
        good = np.flatnonzero(near if near.any() else depth > 0.4 * wanted)
    else:
        good = np.flatnonzero((depth > wanted) & (to_heart > reach + 14))
    if good.size == 0:
        good = np.argsort(-(depth + np.minimum(to_heart - reach, 0)))[:5]
    return places[good[0]] * sizes


def _roughen(
    outline: Field, patch: Patch, diameter: float, latents: dict[str, float], look: Look, rng: np.random.Generator
) -> Field:
    """Perturb an outline by smooth noise at two scales; the latent shape sets how much."""
    amplitude = min(look.roughness * float(np.exp(0.4 * latents["shape"])), 0.45)
    coarse = np.clip(smooth_noise(rng, patch.axes, max(0.45 * diameter, 6.0)), -2, 2)
    detail = np.clip(smooth_noise(rng, patch.axes, max(0.2 * diameter, 4.0)), -2, 2)
    return (outline + 0.5 * diameter * amplitude * (0.8 * coarse + 0.35 * detail)).astype(np.float32)


def _finish(
    canvas: Canvas,
    patch: Patch,
    outline: Field,
    diameter: float,
    latents: dict[str, float],
    *,
    look: Look,
    rng: np.random.Generator,
) -> Lesion:
    """Give an outline its uptake: uneven, sometimes with a necrotic core."""
    # Blur halves the contrast of the smallest tumours: those that are diagnosed at all are hot.
    least = look.suv_least * max(1.0, 20 / diameter)
    suv = max(least, look.suv_median * float(np.exp(look.suv_spread * latents["uptake"])))
    uneven = min(look.unevenness * float(np.exp(0.4 * latents["heterogeneity"])), 0.6)
    field = 0.85 * smooth_noise(rng, patch.axes, max(0.4 * diameter, 7.0))
    field += 0.5 * smooth_noise(rng, patch.axes, max(0.16 * diameter, 4.0))
    uptake = suv * np.exp(uneven * field - 0.5 * uneven**2)
    chance, depth_share = rng.random(), rng.uniform(0.35, 0.6)
    core_value = rng.uniform(0.12, 0.4)
    core_field = smooth_noise(rng, patch.axes, max(0.35 * diameter, 6.0))
    share = 0.0
    if diameter > 18 and chance < look.necrosis * min(diameter / 40, 1.4):
        core = outline + depth_share * 0.5 * diameter + 0.1 * diameter * core_field
        dead = canvas.coverage(core)
        uptake = uptake * (1 - dead * (1 - core_value))
        share = float(dead.sum() / max(canvas.coverage(outline).sum(), 1))
    return _lesion(canvas, patch, outline, uptake, necrosis_share=share)


def _lesion(canvas: Canvas, patch: Patch, outline: Field, uptake: NDArray, *, necrosis_share: float = 0.0) -> Lesion:
    support = canvas.coverage(outline)
    total = max(float(support.sum()), 1e-6)

    def mean(values: NDArray) -> float:
        return float((support * values).sum()) / total

    suv = mean(uptake)
    edges = [float(axis[1] - axis[0]) for axis in canvas.axes]
    volume = total * float(np.prod(edges))
    # The total variation of the coverage is the area of the surface that bounds it (coarea formula).
    slopes = np.gradient(np.pad(support, 1), *edges)
    area = float(np.sqrt(sum(slope**2 for slope in slopes)).sum()) * float(np.prod(edges))
    traits = {
        "volume_ml": volume / 1000,
        "suv": suv,
        "heterogeneity": mean((uptake - suv) ** 2) ** 0.5 / max(suv, 1e-6),
        "contrast": suv / max(mean(canvas.activity[patch.slices]), 0.05),
        "asphericity": (area**3 / (36 * np.pi * max(volume, 1.0) ** 2)) ** (1 / 3) - 1,
        "necrosis_share": necrosis_share,
    }
    centre = np.array([mean(np.broadcast_to(axis, support.shape)) for axis in (patch.x, patch.y, patch.z)])
    return Lesion(patch, support, uptake.astype(np.float32), centre, traits)


def _largest_part(outline: Field) -> Field:
    """Keep the largest connected part of a roughened outline."""
    largest = cc3d.largest_k(outline < 0, k=1, connectivity=6) > 0
    return np.where((outline < 0) & ~largest, np.float32(2), outline)


def _sized(outline: Field, patch: Patch, least: float, most: float, axes: Sequence[int] = (0, 1, 2)) -> Field:
    """Grow or shrink an outline until the longest of its extents along `axes` lies between `least` and `most` mm."""
    for _ in range(3):
        inside = _largest_part(outline) < 0
        extent = 0.0
        for axis in axes:
            hit = np.flatnonzero(inside.any(axis=tuple(k for k in range(3) if k != axis)))
            line = patch.axes[axis]
            extent = max(extent, float((hit[-1] - hit[0] + 1) * (line[1] - line[0])) if hit.size else 0.0)
        outline = outline + np.float32((extent - np.clip(extent, least, most)) / 2)
    return _largest_part(outline)
