"""Lungs, mediastinum, great vessels, heart and oesophagus."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointpet.phantom.body import SPINE_Y
from pointpet.phantom.shapes import (
    Canvas,
    Field,
    Patch,
    ellipsoid,
    rotation_to,
    smooth_max,
    smooth_min,
    smooth_noise,
    tube,
)
from pointpet.phantom.skeleton import CAGE_CENTRE_Y, CAGE_HALF_DEPTH, CAGE_HALF_WIDTH

_AXIS = np.array([-0.68, 0.58, -0.45]) / np.linalg.norm([-0.68, 0.58, -0.45])
"""The left ventricle's axis from base to apex: to the left, front and down."""


@dataclass(frozen=True, eq=False)
class Thorax:
    """What lesions need to know of the thorax, reference mm.

    Args:
        patch, lungs: where the lungs lie and their signed distance.
        heart_centre, heart_radius: a sphere about the left ventricle.
        oesophagus: (N, 3) its path from neck to stomach.
        blood: SUV of the blood pool.
    """

    patch: Patch
    lungs: Field
    heart_centre: NDArray
    heart_radius: float
    oesophagus: NDArray
    blood: float


def diaphragm(x: NDArray, y: NDArray, shift: float) -> NDArray[np.float32]:
    """Height of the diaphragm: two domes that fall off to the walls, deepest behind."""
    right = 100 * np.exp(-(((x - 62) / 66) ** 2) - ((y - 12) / 72) ** 2)
    left = 84 * np.exp(-(((x + 66) / 66) ** 2) - ((y - 12) / 72) ** 2)
    return (335 + shift + np.maximum(right, left) + 0.15 * np.minimum(right, left)).astype(np.float32)


def cage(patch: Patch, inset: float) -> Field:
    """Signed distance to the rib cage's inner wall, moved inwards by `inset`."""
    wide, deep = CAGE_HALF_WIDTH(patch.z) - inset, CAGE_HALF_DEPTH(patch.z) - inset
    across, front = patch.x / wide, (patch.y - CAGE_CENTRE_Y(patch.z)) / deep
    return ((across**2 + front**2 - 1) * (0.25 * (wide + deep))).astype(np.float32)


def paint_thorax(canvas: Canvas, rng: np.random.Generator, *, breath_mm: float) -> Thorax:
    """Paint the thorax; `breath_mm` lifts the diaphragm."""
    blood = float(np.clip(rng.normal(1.55, 0.2), 1.0, 2.2))
    patch = canvas.box((-140, -110, 300), (140, 110, 618))
    centre = np.array([-20.0, 26.0, 440 + breath_mm]) + rng.normal(0, 4, 3)
    pericardium = ellipsoid(patch, centre, np.array([43, 47, 66]) * rng.normal(1, 0.05), rotation_to(_AXIS))
    lungs = _lungs(patch, pericardium, breath_mm)
    canvas.paint(patch, cage(patch, 0), np.float32(0.62))
    _mediastinum(canvas, blood, rng)
    canvas.paint(patch, lungs, _lung_value(patch, rng))
    canvas.paint(patch, pericardium, np.float32(blood * 0.92))
    _vessels(canvas, blood, rng)
    gullet = _oesophagus(canvas, blood, rng)
    ventricle = _heart(canvas, centre, blood, rng)
    return Thorax(patch, lungs, ventricle, 42.0, gullet, blood)


def _lungs(patch: Patch, pericardium: Field, breath_mm: float) -> Field:
    inside = smooth_max(cage(patch, 3), diaphragm(patch.x, patch.y, breath_mm) - patch.z, 8)
    half = np.interp(patch.z.ravel(), [300, 400, 500, 560, 610], [20, 26, 27, 26, 20])[None, None, :]
    pinch = half * np.interp(patch.y.ravel(), [-60, -20, 20, 60, 90], [1.0, 1.0, 1.05, 0.7, 0.35])[None, :, None]
    core = (np.abs(patch.x) - pinch).astype(np.float32)
    spine_y = SPINE_Y(patch.z).astype(np.float32)
    bones = np.sqrt(patch.x**2 + (patch.y - spine_y + 6) ** 2) - np.float32(29)
    excluded = smooth_min(smooth_min(core, bones, 10), pericardium - 4, 12)
    return smooth_max(inside, -excluded, 8)


def _lung_value(patch: Patch, rng: np.random.Generator) -> Field:
    """Denser, brighter lung behind (supine) and towards the base."""
    level = rng.uniform(0.33, 0.58)
    slope = 1 - 0.0022 * patch.y - 0.0006 * (patch.z - 460)
    return (level * slope * np.exp(0.12 * smooth_noise(rng, patch.axes, 22))).astype(np.float32)


def _mediastinum(canvas: Canvas, blood: float, rng: np.random.Generator) -> None:
    box = canvas.box((-36, -70, 380), (36, 92, 612))
    spine_y = SPINE_Y(box.z).astype(np.float32)
    depth = np.interp(box.z.ravel(), [380, 545, 612], [42, 38, 16])[None, None, :]
    middle = spine_y + 4 + depth
    core = ((box.x / 27) ** 2 + ((box.y - middle) / depth) ** 2 - 1) * 15
    ends = np.maximum(390 - box.z, 0.6 * (box.z - 598))
    texture = 1 + 0.1 * smooth_noise(rng, box.axes, 14)
    canvas.paint(box, smooth_max(core, ends + np.zeros_like(core), 12), np.float32(blood * 0.62) * texture)


def _front(z: float, offset: float) -> float:
    """A place `offset` mm in front of the vertebral bodies' centres at height z."""
    return float(SPINE_Y(z)) + offset


def _trunk_vessels() -> list[tuple[list[tuple[float, float, float]], float]]:
    """Paths and radii of aorta, venae cavae, pulmonary arteries and the arteries of neck and shoulders."""
    return [
        ([(2, 22, 470), (14, 24, 505), (10, 10, 540), (-8, -12, 550), (-20, _front(535, 20), 532)], 14.5),
        ([(-20, _front(535, 20), 532), (-22, _front(480, 20), 480), (-14, _front(400, 26), 400)], 12.0),
        ([(-14, _front(400, 26), 400), (-8, _front(300, 30), 300), (-6, _front(222, 28), 222)], 9.5),
        ([(24, 10, 460), (26, 10, 520), (22, 4, 560), (4, 4, 572)], 9.5),
        ([(24, _front(420, 36), 430), (22, _front(330, 30), 330), (16, _front(215, 26), 215)], 11.0),
        ([(-4, 22, 480), (-14, 8, 508), (-36, -12, 506), (-52, -16, 498)], 10.0),
        ([(-6, 10, 505), (20, -8, 504), (44, -14, 496)], 9.5),
        ([(-2, 0, 552), (-12, 2, 600), (-24, 0, 650), (-27, 2, 700)], 4.5),
        ([(8, 4, 552), (14, 4, 600), (24, 0, 650), (27, 2, 700)], 4.5),
        ([(10, 4, 562), (50, 8, 590), (95, -2, 575), (140, -10, 560)], 5.5),
        ([(-10, 4, 562), (-50, 8, 590), (-95, -2, 575), (-140, -10, 560)], 5.5),
    ]


_AIRWAYS = (
    [(0, -2, 690), (0, -4, 600), (2, -14, 515)],
    [(2, -14, 515), (30, -22, 492)],
    [(2, -14, 515), (-32, -22, 488)],
)


def _vessels(canvas: Canvas, blood: float, rng: np.random.Generator) -> None:
    wide = rng.normal(1, 0.06)
    for path, radius in _trunk_vessels():
        patch, vessel, _ = tube(canvas, np.array(path, float), radius * wide)
        canvas.paint(patch, vessel, blood)
    for side in (-1, 1):
        iliac = np.array([(3, 14, 220), (34, -6, 165), (62, 28, 105), (70, 34, 70)]) * [side, 1, 1]
        patch, vessel, _ = tube(canvas, iliac + rng.normal(0, 2, iliac.shape), 6.0)
        canvas.paint(patch, vessel, blood * 0.9)
        femoral = np.array([(70, 34, 70), (73, 28, 20), (75, 22, -40), (80, 14, -120), (84, 6, -260)]) * [side, 1, 1]
        femoral = femoral + rng.normal(0, 3, femoral.shape)
        patch, vessel, value = tube(canvas, femoral, 4.5, blood * rng.uniform(0.5, 0.95, len(femoral)))
        canvas.paint(patch, vessel, value)
    for airway in _AIRWAYS:
        patch, lumen, _ = tube(canvas, np.array(airway, float), 7.5)
        canvas.paint(patch, lumen, 0.25)


def _oesophagus(canvas: Canvas, blood: float, rng: np.random.Generator) -> NDArray:
    heights = np.array([655, 600, 550, 500, 460, 425, 400, 388])
    sideways = np.array([0, -3, -6, -3, -5, -11, -19, -30]) + rng.normal(0, 1.5, 8)
    forward = np.array([15, 16, 17, 22, 24, 27, 32, 40])
    path = np.column_stack([sideways, SPINE_Y(heights) + forward, heights])
    values = blood * rng.uniform(0.85, 1.25) * np.exp(rng.normal(0, 0.08, 8))
    values[-3:] *= 1 + 0.9 * rng.beta(1, 3)
    patch, wall, value = tube(canvas, path, 6.5, values)
    canvas.paint(patch, wall, value)
    return path


def _heart(canvas: Canvas, centre: NDArray, blood: float, rng: np.random.Generator) -> NDArray:
    """Left ventricle as a thick cup open at its base, right ventricle faint, blood pool within."""
    uptake = float(np.exp(rng.uniform(np.log(1.8), np.log(14.0))))
    ventricle = centre + np.array([-20.0, 6.0, -3.0])
    axis = _AXIS + rng.normal(0, 0.08, 3)
    turned = rotation_to(axis)
    patch = canvas.box(ventricle - 62, ventricle + 62)
    wall = rng.uniform(9, 12.5)
    outer = ellipsoid(patch, ventricle, (36, 36, 47), turned)
    inner = ellipsoid(patch, ventricle - 3 * turned[2], (36 - wall, 36 - wall, 47 - wall), turned)
    along = sum(
        (axis_values - np.float32(c)) * np.float32(k)
        for axis_values, c, k in zip((patch.x, patch.y, patch.z), ventricle, turned[2], strict=True)
    )
    cup = np.maximum(np.maximum(outer, -inner), -along - 16)
    right = ellipsoid(patch, centre + np.array([14, 20, -10]), (34, 30, 44), turned)
    shell = np.maximum(np.abs(right) - 2.0, -(outer - 1))
    canvas.paint(patch, shell, blood + 0.12 * max(uptake - blood, 0))
    canvas.paint(patch, inner, blood)
    uneven = np.exp(0.16 * smooth_noise(rng, patch.axes, 28))
    canvas.paint(patch, cup, uptake * uneven)
    return ventricle
