"""Liver, spleen, kidneys, stomach, bowel, bladder and what else lies below the diaphragm."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pointpet.phantom.body import SPINE_Y, TORSO_CENTRE_Y, TORSO_HALF_DEPTH, TORSO_HALF_WIDTH, Patient
from pointpet.phantom.shapes import Canvas, ellipsoid, rotation_to, smooth_max, smooth_noise, tube
from pointpet.phantom.thorax import cage, diaphragm


def paint_abdomen(canvas: Canvas, patient: Patient, rng: np.random.Generator, *, breath_mm: float) -> float:
    """Paint the abdomen and pelvis; return the liver's SUV."""
    liver = float(np.clip(rng.normal(2.25, 0.3), 1.6, 3.1))
    _cavity(canvas, rng, breath_mm)
    _bowel(canvas, rng)
    _stomach(canvas, rng)
    _spleen(canvas, rng, liver * rng.uniform(0.72, 0.95), breath_mm)
    _kidneys(canvas, rng)
    _liver(canvas, rng, liver, breath_mm)
    _pancreas(canvas, rng)
    _pelvic_organs(canvas, patient, rng)
    return liver


def _cavity(canvas: Canvas, rng: np.random.Generator, breath_mm: float) -> None:
    """Intra-abdominal fat and mesentery inside the muscle wall."""
    patch = canvas.box((-140, -70, 60), (140, 105, 440))
    wide, deep = TORSO_HALF_WIDTH(patch.z) - 22, TORSO_HALF_DEPTH(patch.z) - 14
    middle = TORSO_CENTRE_Y(patch.z) + 6
    shell = ((patch.x / wide) ** 2 + ((patch.y - middle) / deep) ** 2 - 1) * 45
    ends = np.maximum(
        52 + 0.004 * patch.x**2 + 0.006 * patch.y**2 - patch.z, patch.z - diaphragm(patch.x, patch.y, breath_mm)
    )
    behind = SPINE_Y(patch.z) + 20 - 0.004 * patch.x**2 - patch.y
    inside = smooth_max(
        smooth_max(shell.astype(np.float32), ends.astype(np.float32), 15), behind.astype(np.float32), 15
    )
    canvas.paint(patch, inside, rng.uniform(0.35, 0.55) * np.exp(0.15 * smooth_noise(rng, patch.axes, 20)))


def _liver(canvas: Canvas, rng: np.random.Generator, value: float, breath_mm: float) -> None:
    patch = canvas.box((-95, -85, 215), (132, 105, 450))
    shape = smooth_max(cage(patch, 7), patch.z + 4 - diaphragm(patch.x, patch.y, breath_mm), 12)
    low = np.interp(patch.x.ravel(), [-95, -60, -20, 20, 60, 120], [388, 368, 342, 318, 292, 264])[:, None, None]
    low = low + breath_mm + rng.normal(0, 10) + 0.3 * np.maximum(10 - patch.y, 0) - 0.15 * np.maximum(patch.y - 30, 0)
    shape = smooth_max(shape, (low - patch.z).astype(np.float32) * 0.8, 14)
    left_back = -18 + 0.55 * np.maximum(10 - patch.x, 0) - patch.y
    shape = smooth_max(shape, left_back.astype(np.float32) * 0.85, 16)
    end = (-rng.uniform(45, 85) - patch.x).astype(np.float32)
    shape = smooth_max(shape, end + np.zeros_like(shape), 18)
    top = (patch.z - 408 - breath_mm - 0.5 * np.minimum(patch.x - 10, 0)) - 0.9 * np.maximum(patch.x - 10, 0)
    shape = smooth_max(shape, top.astype(np.float32) * 0.8, 14)
    spine = 34 - np.sqrt(patch.x**2 + (patch.y - SPINE_Y(patch.z) - 4) ** 2)
    shape = smooth_max(shape, spine.astype(np.float32), 10)
    shape += 3.5 * smooth_noise(rng, patch.axes, 34)
    texture = 1 + 0.07 * smooth_noise(rng, patch.axes, 11) + 0.03 * smooth_noise(rng, patch.axes, 40)
    canvas.paint(patch, shape, value * texture)
    gall = ellipsoid(patch, (48, 48, 262 + breath_mm), (14, 15, 26), rotation_to((0.2, 0.5, -0.8)))
    canvas.paint(patch, gall, rng.uniform(0.5, 1.0))


def _spleen(canvas: Canvas, rng: np.random.Generator, value: float, breath_mm: float) -> None:
    centre = np.array([-96, -40, 362 + breath_mm]) + rng.normal(0, 5, 3)
    patch = canvas.box(centre - 75, centre + 75)
    size = rng.normal(1, 0.1)
    body = ellipsoid(patch, centre, np.array([21, 38, 55]) * size, rotation_to((0.35, -0.3, 0.9)))
    hollow = ellipsoid(patch, centre + np.array([34, 12, -4]), (26, 30, 40))
    shape = smooth_max(smooth_max(body, -hollow, 8), cage(patch, 5), 8)
    canvas.paint(patch, shape, value * (1 + 0.06 * smooth_noise(rng, patch.axes, 11)))


def _kidneys(canvas: Canvas, rng: np.random.Generator) -> None:
    cortex = rng.uniform(2.0, 4.2)
    for side, height in ((1, 290), (-1, 302)):
        centre = np.array([side * 62, float(SPINE_Y(height)) - 18, height]) + rng.normal(0, 5, 3)
        along = np.array([-side * 0.24, -0.16, 0.95]) + rng.normal(0, 0.05, 3)
        axes = rotation_to(along)
        inward = np.array([-side * 0.82, 0.5, 0.0])
        patch = canvas.box(centre - 70, centre + 70)
        size = rng.normal(1, 0.06)
        bean = ellipsoid(patch, centre, np.array([26, 25, 53]) * size, axes)
        notch = ellipsoid(patch, centre + 30 * inward, (18, 15, 19))
        bean = smooth_max(bean, -notch, 10)
        medulla = np.clip(1.0 + (bean + 9) / 14, 0.55, 1.0)
        patchy = np.exp(0.14 * smooth_noise(rng, patch.axes, 12))
        canvas.paint(patch, bean, cortex * medulla * patchy)
        _collecting_system(canvas, rng, centre, along, inward, side)


def _collecting_system(
    canvas: Canvas, rng: np.random.Generator, centre: NDArray, along: NDArray, inward: NDArray, side: int
) -> None:
    """Calyces, pelvis and ureter, filled with hot urine to a random degree."""
    urine = float(np.exp(rng.uniform(np.log(3.0), np.log(22.0))))
    hub = centre + 14 * inward
    filling = rng.beta(1.2, 1.6)
    for offset in (-25, -2, 24):
        if rng.random() < 0.7:
            path = np.array([hub + 0.45 * offset * along, centre + offset * along - 1 * inward])
            patch, calyx, _ = tube(canvas, path, [3.5, 3.0 + 4.5 * filling])
            canvas.paint(patch, calyx, urine * rng.uniform(0.3, 0.9))
    patch = canvas.box(hub - 25, hub + 25)
    pelvis = ellipsoid(patch, hub, (5 + 6 * filling, 5 + 5 * filling, 9 + 9 * filling))
    canvas.paint(patch, pelvis, urine)
    heights = np.array([centre[2] - 20, 255, 215, 170, 130, 98])
    path = np.column_stack([side * np.array([44, 36, 34, 38, 42, 20]), np.array([-18, 0, 4, -12, -18, 8]), heights])
    path[0] = hub + np.array([0, 0, -10])
    path[1:-1] += rng.normal(0, 4, (4, 3))
    segments = rng.random(10) < rng.beta(0.8, 1.6)
    steps = np.linspace(0, len(path) - 1, 11)
    for first, last, filled in zip(steps[:-1], steps[1:], segments, strict=True):
        if not filled:
            continue
        at = np.linspace(first, last, 4)
        part = np.column_stack([np.interp(at, np.arange(len(path)), column) for column in path.T])
        patch, ureter, _ = tube(canvas, part, rng.uniform(2.2, 3.4))
        canvas.paint(patch, ureter, urine * rng.uniform(0.5, 1.5))


def _stomach(canvas: Canvas, rng: np.random.Generator) -> None:
    path = np.array(
        [(-66, -18, 398), (-76, 2, 366), (-64, 30, 322), (-28, 48, 292), (10, 46, 296), (32, 34, 300)], float
    )
    path += rng.normal(0, 5, path.shape)
    full = rng.uniform(0.7, 1.1)
    radii = np.array([33, 34, 27, 20, 14, 11]) * full
    wall_value = float(np.exp(rng.normal(np.log(1.9), 0.3)))
    patch, wall, _ = tube(canvas, path, radii)
    uneven = np.exp(0.25 * smooth_noise(rng, patch.axes, 25))
    canvas.paint(patch, wall, wall_value * uneven)
    canvas.paint(patch, wall + 6.5, rng.uniform(0.4, 1.1))


def _bowel(canvas: Canvas, rng: np.random.Generator) -> None:
    """Small-bowel loops as a confined random walk, then the colon, uptake varying along both."""
    steps = 70
    points = np.zeros((steps, 3))
    points[0] = (-30, 30, 250)
    heading = rng.standard_normal(3)
    low, high = np.array([-82, -2, 112]), np.array([78, 68, 262])
    for i in range(1, steps):
        heading = 0.75 * heading / np.linalg.norm(heading) + 0.6 * rng.standard_normal(3)
        step = points[i - 1] + 20 * heading / np.linalg.norm(heading)
        outside = (step < low) | (step > high)
        heading[outside] *= -1
        points[i] = np.clip(step, low, high)
    level = float(np.exp(rng.normal(np.log(1.15), 0.22)))
    values = level * np.exp(0.35 * _wander(rng, steps, 6))
    patch, loop, value = tube(canvas, points, rng.uniform(8.5, 11), values)
    value *= np.exp(0.2 * smooth_noise(rng, patch.axes, 9))
    canvas.paint(patch, loop, value)
    colon = [(78, 20, 150), (88, 18, 190), (92, 8, 240), (84, 22, 272), (48, 62, 252), (5, 72, 232), (-45, 62, 252)]
    colon += [(-82, 28, 300), (-98, -6, 338), (-104, -16, 290), (-104, -14, 225), (-92, 0, 170), (-66, 14, 134)]
    colon += [(-30, 4, 118), (6, -6, 128), (14, -30, 118), (2, -40, 90), (0, -42, 62), (0, -38, 34)]
    path = np.array(colon, float)
    path[1:-3] += rng.normal(0, 7, (len(path) - 4, 3))
    level = float(np.exp(rng.normal(np.log(1.3), 0.35)))
    values = level * np.exp(0.45 * _wander(rng, len(path), 3))
    radii = np.clip(rng.normal(16, 2.5, len(path)), 11, 22)
    radii[-6:] = 11
    values[-4:] = np.minimum(values[-4:], rng.uniform(0.8, 1.5))
    patch, wall, value = tube(canvas, path, radii, values)
    value *= np.exp(0.25 * smooth_noise(rng, patch.axes, 13))
    wall += 1.6 * smooth_noise(rng, patch.axes, 11)
    canvas.paint(patch, wall, value)
    canvas.paint(patch, wall + 5.5, 0.55 * value)


def _wander(rng: np.random.Generator, count: int, scale: float) -> NDArray:
    """A smooth random sequence of unit variance."""
    return smooth_noise(rng, (np.zeros(1), np.zeros(1), np.arange(count)), (1, 1, scale))[0, 0] / 1.5


def _pancreas(canvas: Canvas, rng: np.random.Generator) -> None:
    path = np.array([(36, 18, 285), (18, 26, 300), (-14, 20, 316), (-50, -6, 330)]) + rng.normal(0, 4, (4, 3))
    patch, gland, _ = tube(canvas, path, [13, 11, 10, 9])
    canvas.paint(patch, gland, rng.uniform(1.1, 1.6))


def _pelvic_organs(canvas: Canvas, patient: Patient, rng: np.random.Generator) -> None:
    centre = np.array([rng.normal(0, 5), 24 + rng.normal(0, 5), 86 + rng.normal(0, 5)])
    patch = canvas.box(centre - 80, centre + 80)
    filling = rng.uniform(0.6, 1.25)
    bladder = ellipsoid(patch, centre + np.array([0, 0, 16 * (filling - 0.6)]), np.array([38, 30, 21]) * filling)
    if patient.sex == "F":
        womb = ellipsoid(
            patch, centre + np.array([rng.normal(0, 4), -32, 24]), (24, 18, 30), rotation_to((0, 0.6, 0.8))
        )
        canvas.paint(patch, womb, rng.uniform(1.0, 1.8))
    else:
        gland = ellipsoid(patch, centre + np.array([0, -8, -36]), (21, 16, 16))
        canvas.paint(patch, gland, rng.uniform(1.1, 1.9))
        _male_organs(canvas, rng)
    urine = float(np.exp(rng.uniform(np.log(8.0), np.log(60.0))))
    layering = 1 - 0.15 * np.clip((patch.y - centre[1]) / 30, -1, 1)
    bladder += 2.2 * smooth_noise(rng, patch.axes, 24)
    canvas.paint(patch, bladder, urine * layering)


def _male_organs(canvas: Canvas, rng: np.random.Generator) -> None:
    testes = rng.uniform(1.2, 4.0)
    for side in (-1, 1):
        centre = np.array([side * 17, 58, -22]) + rng.normal(0, 3, 3)
        patch = canvas.box(centre - 30, centre + 30)
        canvas.paint(patch, ellipsoid(patch, centre, (19, 19, 24)), 0.5)
        canvas.paint(patch, ellipsoid(patch, centre, (12, 13, 18)), testes)
    shaft = np.array([(0, 40, 30), (0, 72, 15), (0, 78, -25)])
    patch, shape, _ = tube(canvas, shaft, 11.0)
    canvas.paint(patch, shape, 0.7)
    if rng.random() < 0.15:
        patch, urethra, _ = tube(canvas, np.array([(0, 14, 55), (0, 38, 32), (0, 72, 15)]), 3.0)
        canvas.paint(patch, urethra, rng.uniform(3, 12))
