"""Bone marrow: vertebrae one by one, pelvis, femora, ribs, sternum, shoulder girdle; and the spinal cord."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pointpet.phantom.body import SPINE_Y, Patient, arm_path
from pointpet.phantom.shapes import Canvas, curve, ellipsoid, rotation_to, tube

VERTEBRAE_Z = (*np.linspace(182, 317, 5), *np.linspace(347, 603, 12), *np.linspace(624, 712, 6))
"""Centres of L5 to L1, T12 to T1 and C7 to C2 in reference mm."""

CAGE_HALF_WIDTH = curve([(250, 118), (330, 126), (400, 132), (460, 129), (520, 112), (560, 88), (590, 58), (612, 24)])
CAGE_HALF_DEPTH = curve([(250, 74), (330, 80), (400, 88), (460, 86), (520, 74), (560, 56), (590, 40), (612, 22)])
CAGE_CENTRE_Y = curve([(250, 2), (400, 6), (470, 2), (540, -10), (612, -26)])
"""Inner wall of the rib cage against z."""


def paint_skeleton(canvas: Canvas, patient: Patient, rng: np.random.Generator) -> None:
    """Paint red marrow bright, yellow marrow and cortical bone faint."""
    marrow = float(np.clip(rng.lognormal(np.log(1.35), 0.25), 0.8, 2.6))
    _ribs(canvas, marrow * 0.72, rng)
    _pelvis(canvas, marrow, rng)
    _spine(canvas, marrow, rng)
    _shoulders(canvas, patient, marrow, rng)
    _sternum(canvas, marrow * 0.8)


def _spine(canvas: Canvas, marrow: float, rng: np.random.Generator) -> None:
    cord = [(0, float(SPINE_Y(z)) - 26, z) for z in np.linspace(340, 730, 12)]
    patch, canal, _ = tube(canvas, np.array(cord), 5.0)
    canvas.paint(patch, canal, rng.uniform(1.4, 2.1))
    for z in VERTEBRAE_Z:
        size = np.interp(z, [182, 317, 480, 603, 712], [1.0, 0.9, 0.72, 0.62, 0.46])
        gap = np.interp(z, [182, 317, 347, 603, 712], [34, 34, 24, 23, 17.5])
        y = float(SPINE_Y(z))
        patch = canvas.box((-40, y - 62, z - gap / 2), (40, y + 30, z + gap / 2))
        disc = ellipsoid(patch, (0, y, z), (24 * size, 17 * size, 1e4))
        canvas.paint(patch, disc, 0.4 + 0.45 * marrow)
        body = disc
        body = np.maximum(body, np.abs(patch.z - z) - np.float32(gap * 0.42))
        value = marrow * rng.normal(1, 0.05)
        rim = np.clip(0.72 - body / 12, 0.5, 1.0)
        canvas.paint(patch, body, value * rim)
        arch = ellipsoid(patch, (0, y - 44 * max(size, 0.7), z - 4), (7, 15 * size, 0.3 * gap))
        canvas.paint(patch, arch, value * 0.7)


def _pelvis(canvas: Canvas, marrow: float, rng: np.random.Generator) -> None:
    sacrum = canvas.box((-60, -95, 70), (60, -10, 182))
    tilt = rotation_to((0, 0.35, 1.0))
    canvas.paint(sacrum, ellipsoid(sacrum, (0, -52, 130), (46, 15, 46), tilt), marrow * 0.92)
    for side in (-1, 1):
        wing = canvas.box(*_corners((side * 25, -75, 90), (side * 135, 50, 225)))
        plate = _rotated(side)
        canvas.paint(wing, ellipsoid(wing, (side * 84, -14, 160), (56, 10, 54), plate), marrow * 0.85)
        joint = canvas.box(*_corners((side * 40, -60, 20), (side * 140, 60, 130)))
        canvas.paint(joint, ellipsoid(joint, (side * 82, -4, 92), (24, 24, 26)), marrow * 0.7)
        for path, radius, share in _limb_bones(side):
            patch, bone, _ = tube(canvas, np.array(path, float), radius)
            canvas.paint(patch, bone, (0.3 + (marrow - 0.3) * share) * rng.normal(1, 0.05))


def _limb_bones(side: int) -> list[tuple[list[tuple[float, float, float]], float, float]]:
    """Paths, radii and shares of the marrow's uptake below the hip joint."""
    return [
        ([(side * 70, 8, 80), (side * 40, 34, 62), (side * 10, 42, 55)], 9.0, 0.6),
        ([(side * 62, -40, 75), (side * 52, -42, 30), (side * 40, -20, 18), (side * 12, 36, 45)], 9.0, 0.6),
        ([(side * 88, -2, 82), (side * 105, -6, 68), (side * 112, -8, 45)], 17.0, 0.62),
        ([(side * 110, -8, 45), (side * 106, -6, -30)], 13.0, 0.25),
        ([(side * 106, -6, -30), (side * 96, -6, -280)], 10.0, 0.18),
    ]


def _ribs(canvas: Canvas, value: float, rng: np.random.Generator) -> None:
    for number, z in enumerate(VERTEBRAE_Z[5:17]):
        rank = 12 - number
        sweep = {12: 0.55, 11: 0.7}.get(rank, 1.0) * 2.75
        drop = np.interp(rank, [1, 4, 8, 12], [26, 62, 88, 60])
        angles = np.linspace(0.22, sweep, 12)
        for side in (-1, 1):
            height = z - drop * (1 - np.cos(np.minimum(angles, 2.4))) / 2 * 1.15
            wide, deep = CAGE_HALF_WIDTH(height) + 6, CAGE_HALF_DEPTH(height) + 6
            path = np.column_stack(
                [side * wide * np.sin(angles), CAGE_CENTRE_Y(height) - deep * np.cos(angles), height]
            )
            patch, rib, _ = tube(canvas, path, 5.0, spacing=0.7)
            canvas.paint(patch, rib, value * rng.normal(1, 0.08))


def _sternum(canvas: Canvas, value: float) -> None:
    front = [(0, float(CAGE_CENTRE_Y(z) + CAGE_HALF_DEPTH(z)) + 5, z) for z in (565, 540, 500, 460, 420)]
    patch = canvas.box((-35, 20, 415), (35, 120, 572))
    heights, depths = np.array([(p[2], p[1]) for p in front]).T
    line = np.interp(patch.z.ravel(), heights[::-1], depths[::-1])[None, None, :]
    width = np.interp(patch.z.ravel(), [415, 530, 560, 572], [13, 15, 26, 20])[None, None, :]
    plate = ((patch.x / width) ** 2 + ((patch.y - line) / 6.5) ** 2 - 1) * 3.2
    plate = np.maximum(plate, np.maximum(418 - patch.z, patch.z - 568))
    canvas.paint(patch, plate.astype(np.float32), value)


def _shoulders(canvas: Canvas, patient: Patient, marrow: float, rng: np.random.Generator) -> None:
    lift = 22 if patient.arms_up else 0
    for side in (-1, 1):
        top = 566 + lift * 0.8
        for path, radius in (
            (
                [(side * 18, 42, 566), (side * 70, 34, 574), (side * 118, -2, top + 12), (side * 148, -18, top + 10)],
                5.5,
            ),
            ([(side * 150, -22, top + 8), (side * 105, -72, top - 8), (side * 62, -88, top - 20)], 5.5),
            ([(side * 130, -38, top - 25), (side * 108, -78, top - 90), (side * 92, -88, top - 130)], 6.0),
            ([(side * 62, -88, top - 20), (side * 72, -92, top - 75), (side * 92, -88, top - 130)], 5.0),
        ):
            patch, bone, _ = tube(canvas, np.array(path), radius)
            canvas.paint(patch, bone, marrow * rng.uniform(0.45, 0.6))
        path, _ = arm_path(patient, side)
        patch, head, _ = tube(canvas, path[1:2] + np.array([[-side * 4, 0, -6], [side * 4, 0, 6]]), 21.0)
        canvas.paint(patch, head, marrow * 0.55)
        patch, shaft, _ = tube(canvas, path[1:4], 10.0)
        canvas.paint(patch, shaft, 0.25 + 0.2 * marrow)


def _corners(first: tuple[float, float, float], second: tuple[float, float, float]) -> tuple[NDArray, NDArray]:
    both = np.array([first, second], float)
    return both.min(0), both.max(0)


def _rotated(side: int) -> NDArray:
    """Axes of an iliac wing: wide, thin, tall; it opens forwards and outwards."""
    wide = np.array([side * 0.55, 0.83, 0.0])
    tall = np.array([side * 0.22, -0.15, 0.96])
    thin = np.cross(wide, tall)
    thin /= np.linalg.norm(thin)
    wide = np.cross(tall / np.linalg.norm(tall), thin)
    return np.stack([wide / np.linalg.norm(wide), thin, tall / np.linalg.norm(tall)])
