"""What makes the preset `hard` hard: uptake that is no tumour, drawn without any knowledge of the class."""

from __future__ import annotations

import numpy as np

from pointpet.phantom.body import SPINE_Y, Patient, arm_path
from pointpet.phantom.shapes import Canvas, ellipsoid, rotation_to, smooth_noise, tube
from pointpet.phantom.thorax import Thorax


def paint_distractors(canvas: Canvas, patient: Patient, thorax: Thorax, rng: np.random.Generator) -> None:
    """Paint inflammation, an injection site, hot bowel and brown fat, each with its own chance."""
    if rng.random() < 0.35:
        _injection_site(canvas, patient, rng)
    if rng.random() < 0.4:
        _hot_bowel(canvas, rng)
    if rng.random() < 0.25:
        _brown_fat(canvas, rng)
    if rng.random() < 0.4:
        _oesophagitis(canvas, thorax, rng)
    for _ in range(int(rng.integers(0, 4))):
        _inflammation(canvas, thorax, rng)
    if rng.random() < 0.3:
        _joint(canvas, rng)


def _blob(canvas: Canvas, centre: np.ndarray, radius: float, suv: float, rng: np.random.Generator) -> None:
    patch = canvas.box(centre - 2 * radius, centre + 2 * radius)
    if patch.is_empty:
        return
    radii = radius * np.exp(rng.normal(0, 0.2, 3))
    outline = ellipsoid(patch, centre, radii, rotation_to(rng.standard_normal(3)))
    outline = outline + 0.2 * radius * smooth_noise(rng, patch.axes, max(0.7 * radius, 4))
    canvas.paint(patch, outline, suv * np.exp(0.2 * smooth_noise(rng, patch.axes, 6)))


def _injection_site(canvas: Canvas, patient: Patient, rng: np.random.Generator) -> None:
    side = 1 if rng.random() < 0.5 else -1
    path, _ = arm_path(patient, side)
    place = path[-3 if not patient.arms_up else -2] + rng.normal(0, 6, 3)
    _blob(canvas, place + np.array([0, 9, 0]), float(rng.uniform(6, 14)), float(rng.uniform(6, 30)), rng)


def _hot_bowel(canvas: Canvas, rng: np.random.Generator) -> None:
    start = np.array([rng.uniform(-80, 80), rng.uniform(10, 50), rng.uniform(140, 280)])
    path = np.clip(start + np.cumsum(rng.normal(0, 16, (6, 3)), axis=0), (-84, -4, 118), (84, 60, 285))
    patch, shape, _ = tube(canvas, path, rng.uniform(9, 14))
    suv = rng.uniform(3, 9)
    canvas.paint(patch, shape, suv * np.exp(0.3 * smooth_noise(rng, patch.axes, 14)))


def _brown_fat(canvas: Canvas, rng: np.random.Generator) -> None:
    suv = rng.uniform(2.5, 9)
    for side in (-1, 1):
        for x, y, z in ((46, -8, 612), (66, -10, 602), (88, -14, 592), (40, -10, 632)):
            centre = np.array([side * x, y, z]) + rng.normal(0, 4, 3)
            _blob(canvas, centre, float(rng.uniform(4, 8)), suv * float(rng.uniform(0.6, 1.2)), rng)
        for z in rng.uniform(400, 570, 3):
            _blob(canvas, np.array([side * 26.0, float(SPINE_Y(z)) - 6, z]), 4.0, suv * 0.6, rng)


def _oesophagitis(canvas: Canvas, thorax: Thorax, rng: np.random.Generator) -> None:
    last = int(rng.integers(4, len(thorax.oesophagus)))
    patch, wall, _ = tube(canvas, thorax.oesophagus[last - 3 : last + 1], rng.uniform(6, 8))
    canvas.paint(patch, wall, rng.uniform(2.2, 4.2) * np.exp(0.2 * smooth_noise(rng, patch.axes, 12)))


def _inflammation(canvas: Canvas, thorax: Thorax, rng: np.random.Generator) -> None:
    """A granuloma, a pneumonic patch or a reactive node: small, faint to moderate, in lung or mediastinum."""
    if rng.random() < 0.6:
        inside = np.argwhere(thorax.lungs < -6)
        index = inside[int(rng.integers(len(inside)))]
        centre = np.array([axis[i] for axis, i in zip(thorax.patch.axes, index, strict=True)])
        _blob(canvas, centre, float(rng.uniform(4, 13)), float(rng.uniform(1.2, 4.0)), rng)
    else:
        z = rng.uniform(480, 560)
        centre = np.array([rng.normal(0, 24), float(SPINE_Y(z)) + rng.uniform(22, 50), z])
        _blob(canvas, centre, float(rng.uniform(4, 8)), float(rng.uniform(2.0, 4.5)), rng)


def _joint(canvas: Canvas, rng: np.random.Generator) -> None:
    side = 1 if rng.random() < 0.5 else -1
    place = np.array([(side * 160, -16, 575), (side * 88, -2, 82)][int(rng.integers(2))], float)
    _blob(canvas, place + rng.normal(0, 6, 3), float(rng.uniform(9, 16)), float(rng.uniform(2, 4)), rng)
