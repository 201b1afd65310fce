"""The patient: size, posture, and the outline with skin, fat and muscle.

Anatomy is painted in the frame of a reference adult of 170 cm: x to the right, y to the front, z upwards from the
perineum, millimetres. A patient is that frame scaled (`Patient.scale`), with fat around it and every organ drawn anew.
Landmarks follow the XCAT adult: vertex 880, lungs 372 to 600, liver 264 to 444, kidneys 240 to 350, hip joint 80.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointpet.phantom.shapes import (
    Canvas,
    Field,
    Patch,
    curve,
    ellipsoid,
    linear_weights,
    resample,
    smooth_max,
    smooth_min,
    smooth_noise,
    tube,
)

SPINE_Y = curve(
    [
        (60, -62),
        (110, -58),
        (165, -32),
        (216, -14),
        (250, -12),
        (317, -26),
        (390, -46),
        (480, -60),
        (550, -52),
        (603, -38),
        (640, -24),
        (690, -8),
        (720, -6),
    ]
)
"""Front-to-back place of the vertebral bodies' centres against z, mm, supine."""

TORSO_HALF_WIDTH = curve(
    [
        (-20, 150),
        (0, 160),
        (60, 165),
        (120, 164),
        (200, 143),
        (245, 134),
        (300, 138),
        (380, 149),
        (450, 154),
        (520, 158),
        (560, 160),
        (585, 128),
        (605, 84),
        (625, 60),
        (645, 54),
        (690, 52),
    ]
)
TORSO_HALF_DEPTH = curve(
    [
        (-20, 84),
        (0, 92),
        (60, 98),
        (120, 94),
        (200, 86),
        (245, 84),
        (300, 90),
        (380, 98),
        (450, 102),
        (520, 94),
        (560, 78),
        (590, 64),
        (620, 56),
        (650, 53),
        (690, 54),
    ]
)
TORSO_CENTRE_Y = curve(
    [(-20, -12), (60, -10), (200, -2), (300, 2), (450, 4), (540, -4), (590, -16), (640, -8), (690, 4)]
)

_POWER = 2.3
"""Exponent of the torso's superellipse: a little squarer than an ellipse."""


_ALL = (slice(None), slice(None), slice(None))

_COARSE = 3
"""Cells of the canvas to a cell of the outline: 6 mm, over which the skin's curvature bends by 0.1 mm."""

_SKIN_MM = np.float32(2.5)
"""Thickness of the skin."""

_SLAB = 8
"""Columns painted at a time, so that a slab stays in the processor's cache."""


@dataclass(frozen=True)
class Patient:
    """Who lies in the scanner. Drawn without any knowledge of the class.

    Args:
        sex: `M` or `F`.
        height_m, weight_kg: body size.
        scale: (3,) patient millimetres per reference millimetre.
        fat_mm: thickness of the subcutaneous fat at the waist.
        arms_up: raised beside the head, else along the body.
        top_mm, bottom_mm: ends of the scan in the reference frame.
        arms: posture of the left and the right arm, four numbers from -1 to 1 each.
    """

    sex: str
    height_m: float
    weight_kg: float
    scale: tuple[float, float, float]
    fat_mm: float
    arms_up: bool
    top_mm: float
    bottom_mm: float
    arms: tuple[tuple[float, ...], tuple[float, ...]]


def draw_patient(rng: np.random.Generator) -> Patient:
    """Draw a patient's size, sex, posture and scanned range."""
    sex = "M" if rng.random() < 0.6 else "F"
    height_m = float(np.clip(rng.normal(1.75 if sex == "M" else 1.63, 0.065), 1.45, 1.98))
    bmi = float(np.clip(rng.lognormal(np.log(25.0), 0.16), 17.5, 40.0))
    tall = height_m / 1.70
    girth = tall * (0.95 if sex == "F" else 1.0) * (bmi / 24) ** 0.12 * rng.normal(1, 0.03)
    depth = tall * (bmi / 24) ** 0.22 * rng.normal(1, 0.03)
    fat_mm = max(3.0, 3 + 1.5 * (bmi - 18) * (1.25 if sex == "F" else 0.85) * rng.lognormal(0, 0.15))
    whole_head = rng.random() < 0.25
    top_mm = float(rng.uniform(878, 900) if whole_head else rng.uniform(768, 812))
    length_mm = float(rng.uniform(900, 1050)) / tall
    return Patient(
        sex=sex,
        height_m=round(height_m, 2),
        weight_kg=round(bmi * height_m**2, 1),
        scale=(float(girth), float(depth), tall),
        fat_mm=float(fat_mm),
        arms_up=bool(rng.random() < 0.65),
        top_mm=top_mm,
        bottom_mm=top_mm - length_mm,
        arms=(_posture(rng), _posture(rng)),
    )


def _posture(rng: np.random.Generator) -> tuple[float, ...]:
    return tuple(float(share) for share in rng.uniform(-1, 1, 4))


def half_extent_mm(patient: Patient) -> tuple[float, float]:
    """Half width and half depth of the box that holds the patient, reference mm."""
    return 272.0 + 0.5 * patient.fat_mm, 128.0 + 1.1 * patient.fat_mm


def paint_body(canvas: Canvas, patient: Patient, rng: np.random.Generator) -> None:
    """Paint skin, fat and muscle.

    The outline is smooth, so it is computed on cells of `_COARSE` canvas cells and interpolated, slab by slab.
    """
    coarse = Canvas([_coarsened(axis) for axis in canvas.axes])
    outline = _outline(coarse, patient, rng)
    fat, muscle, skin = rng.uniform(0.18, 0.32), rng.uniform(0.5, 0.8), rng.uniform(0.3, 0.55)
    depth = fat_depth(canvas.patch(_ALL), patient)
    texture = np.float32(muscle - fat) * _muscle_texture(coarse, rng)
    weights = [linear_weights(fine, few) for fine, few in zip(canvas.axes, coarse.axes, strict=True)]
    for start in range(0, canvas.axes[0].size, _SLAB):
        slab = slice(start, start + _SLAB)
        sharp = (weights[0][slab], weights[1], weights[2])
        sdf = resample(outline, sharp)
        part = canvas.coverage(sdf + depth) * resample(texture, sharp)
        part += canvas.coverage(sdf) * np.float32(skin)
        part += canvas.coverage(sdf + _SKIN_MM) * np.float32(fat - skin)
        canvas.activity[slab] = part


def fat_depth(patch: Patch, patient: Patient) -> Field:
    """Thickness of skin and fat over the muscle, (1, 1, Z)."""
    share = curve([(-200, 0.55), (-20, 0.8), (60, 1.0), (230, 1.0), (380, 0.6), (520, 0.45), (600, 0.3), (680, 0.1)])
    return (3 + patient.fat_mm * share(patch.z)).astype(np.float32)


def _coarsened(axis: NDArray) -> NDArray:
    """A coarser axis that covers `axis`."""
    step = _COARSE * float(axis[1] - axis[0])
    return np.arange(axis[0], axis[-1] + step, step)


def _muscle_texture(coarse: Canvas, rng: np.random.Generator) -> Field:
    """Relative uptake of muscle: differs between muscles and, more finely, within them."""
    broad, fine = (smooth_noise(rng, coarse.axes, scale) for scale in (60.0, 18.0))
    return np.exp(0.12 * broad + 0.12 * fine).astype(np.float32)


def _outline(coarse: Canvas, patient: Patient, rng: np.random.Generator) -> Field:
    """Signed distance to the skin on the coarse canvas."""
    everything = coarse.patch(_ALL)
    outline = smooth_min(_torso(everything, patient), _legs(everything, patient, rng), 14)
    outline = smooth_min(outline, _head(everything, rng), 24)
    for side in (-1, 1):
        path, radii = arm_path(patient, side)
        patch, limb, _ = tube(coarse, path, radii, margin=30)
        outline[patch.slices] = smooth_min(outline[patch.slices], limb, 22)
    if patient.sex == "F":
        outline = smooth_min(outline, _breasts(everything, patient), 16)
    return outline


def _torso(patch: Patch, patient: Patient) -> Field:
    """Superellipses along z, wrapped in fat."""
    extra = fat_depth(patch, patient)
    width, depth = (f(patch.z) + extra for f in (TORSO_HALF_WIDTH, TORSO_HALF_DEPTH))
    belly = 0.35 * patient.fat_mm * np.exp(-(((patch.z - 230) / 110) ** 2))
    across = (np.abs(patch.x) / width) ** _POWER
    front = (np.abs(patch.y - TORSO_CENTRE_Y(patch.z) - belly) / (depth + belly)) ** _POWER
    field = (across + front - 1) * (0.5 * (width + depth) / _POWER)
    ends = np.maximum(patch.z - 700, 22 - patch.z)
    return smooth_max(field, ends + np.zeros_like(field), 40)


def _legs(patch: Patch, patient: Patient, rng: np.random.Generator) -> Field:
    spread = rng.uniform(0, 22)
    extra = fat_depth(patch, patient)
    taper = np.minimum(patch.z, 60)
    legs = None
    for side in (-1, 1):
        centre = side * (88 - spread * taper / 240 + 0.3 * extra)
        across = (patch.x - centre) / (76 + 0.045 * taper + 0.7 * extra)
        front = (patch.y + 10) / (86 + 0.05 * taper + 0.75 * extra)
        leg = (across**2 + front**2 - 1) * 42 + np.maximum(patch.z - 60, 0)
        legs = leg if legs is None else np.minimum(legs, leg)
    return np.asarray(legs, np.float32)


def _head(patch: Patch, rng: np.random.Generator) -> Field:
    chin = rng.normal(0, 5)
    skull = ellipsoid(patch, (0, 2, 796), (76, 97, 86))
    face = ellipsoid(patch, (0, 40, 722 + chin), (58, 58, 62))
    nape = ellipsoid(patch, (0, -30, 700), (52, 48, 70))
    nose = ellipsoid(patch, (0, 102, 745 + chin), (15, 14, 22))
    return smooth_min(smooth_min(smooth_min(skull, nape, 30), face, 30), nose, 12)


def _breasts(patch: Patch, patient: Patient) -> Field:
    size = 34 + 0.8 * patient.fat_mm
    pair = [
        ellipsoid(patch, (side * 76, 78 + 0.6 * patient.fat_mm, 452), (1.35 * size, 0.85 * size, 1.2 * size))
        for side in (-1, 1)
    ]
    return np.minimum(*pair)


def arm_path(patient: Patient, side: int) -> tuple[NDArray, NDArray]:
    """Joints (N, 3) of the arm on `side` (1 right, -1 left) and the limb's radius there."""
    wide = 8 + 0.35 * patient.fat_mm
    first, second, third, fourth = patient.arms[0 if side < 0 else 1]
    if patient.arms_up:
        out, ahead = 15 + 40 * first, 15 + 15 * second
        joints = [(108, -12, 555), (152 + wide, -14, 606), (184 + wide + 0.4 * out, -4, 680)]
        joints += [(200 + wide + out, ahead, 790), (196 + 1.1 * out + 10 * third, 1.6 * ahead, 905)]
        radii = [50, 50, 43, 39, 37]
    else:
        out, ahead = wide + 10 * third, 10 * fourth
        joints = [(120, -12, 548), (172 + wide, -18, 545), (206 + wide, -24, 420), (212 + wide, -28, 290)]
        joints += [(205 + out, ahead, 150), (196 + out, 25 + ahead, 35), (190 + wide, 28 + ahead, -60)]
        radii = [52, 52, 43, 37, 33, 25, 20]
    path = np.array(joints, float) * [side, 1, 1]
    return path, np.array(radii) + 0.25 * patient.fat_mm
