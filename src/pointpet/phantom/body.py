"""The patient: size, posture, and the outline with skin, fat and muscle.

Anatomy is painted in the frame of a reference adult of 170 cm: x to the right, y to the front, z upwards from the
perineum, millimetres. A patient is that frame scaled (`Patient.scale`), with fat around it and every organ drawn anew.
Landmarks follow the XCAT adult: vertex 880, lungs 372 to 600, liver 264 to 444, kidneys 240 to 350, hip joint 80.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointpet.phantom.shapes import Canvas, Field, Patch, curve, ellipsoid, smooth_min, smooth_noise, tube

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
        (60, 170),
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
    """

    sex: str
    height_m: float
    weight_kg: float
    scale: tuple[float, float, float]
    fat_mm: float
    arms_up: bool
    top_mm: float
    bottom_mm: float


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
    )


def half_extent_mm(patient: Patient) -> tuple[float, float]:
    """Half width and half depth of the box that holds the patient, reference mm."""
    return 272.0 + 0.5 * patient.fat_mm, 128.0 + 1.1 * patient.fat_mm


def paint_body(canvas: Canvas, patient: Patient, rng: np.random.Generator) -> Field:
    """Paint skin, fat and muscle; return the outline's signed distance (X, Y, Z)."""
    everything = canvas.patch((slice(None), slice(None), slice(None)))
    outline = _torso(everything, patient)
    _join_legs(canvas, outline, patient, rng)
    _join_head(canvas, outline)
    _join_arms(canvas, outline, patient, rng)
    fat, muscle, skin = rng.uniform(0.18, 0.32), rng.uniform(0.5, 0.8), rng.uniform(0.3, 0.55)
    depth = fat_depth(everything, patient)
    activity = canvas.activity
    activity += canvas.coverage(outline) * np.float32(skin)
    activity += canvas.coverage(outline + 2.5) * np.float32(fat - skin)
    lean = canvas.coverage(outline + depth)
    lean *= (np.float32(muscle - fat) * (1 + 0.12 * smooth_noise(rng, everything.axes, 45))).astype(np.float32)
    activity += lean
    return outline


def fat_depth(patch: Patch, patient: Patient) -> Field:
    """Thickness of skin and fat over the muscle, (1, 1, Z)."""
    share = curve([(-200, 0.55), (-20, 0.8), (60, 1.0), (230, 1.0), (380, 0.6), (520, 0.45), (600, 0.3), (680, 0.2)])
    return (3 + patient.fat_mm * share(patch.z)).astype(np.float32)


def _torso(patch: Patch, patient: Patient) -> Field:
    """Superellipses along z, wrapped in fat."""
    extra = fat_depth(patch, patient)
    width, depth = (f(patch.z) + extra for f in (TORSO_HALF_WIDTH, TORSO_HALF_DEPTH))
    belly = 0.35 * patient.fat_mm * np.exp(-(((patch.z - 230) / 110) ** 2))
    across = (np.abs(patch.x) / width) ** _POWER
    front = (np.abs(patch.y - TORSO_CENTRE_Y(patch.z) - belly) / (depth + belly)) ** _POWER
    radius = np.minimum(width, depth) * 0.5 + np.maximum(width, depth) * 0.5
    field = across.astype(np.float32) + front.astype(np.float32)
    field -= 1
    field *= (radius / _POWER).astype(np.float32)
    ends = np.maximum(patch.z - 700, -8 - patch.z)
    return np.maximum(field, ends.astype(np.float32))


def _join_legs(canvas: Canvas, outline: Field, patient: Patient, rng: np.random.Generator) -> None:
    spread = rng.uniform(0, 22)
    low = canvas.box((-300, -200, -600), (300, 200, 70))
    if low.is_empty:
        return
    extra = fat_depth(low, patient)
    for side in (-1, 1):
        centre = side * (90 - spread * low.z / 240 + 0.3 * extra)
        across = (low.x - centre) / (76 + 0.045 * low.z + 0.75 * extra)
        front = (low.y + 10) / (84 + 0.05 * low.z + 0.8 * extra)
        leg = ((across**2 + front**2 - 1) * 40).astype(np.float32)
        leg = np.maximum(leg, (low.z - 60).astype(np.float32))
        outline[low.slices] = smooth_min(outline[low.slices], leg, 14)


def _join_head(canvas: Canvas, outline: Field) -> None:
    head = canvas.box((-90, -110, 630), (90, 130, 900))
    if head.is_empty:
        return
    skull = ellipsoid(head, (0, 2, 796), (76, 97, 86))
    face = ellipsoid(head, (0, 42, 728), (60, 58, 68))
    nose = ellipsoid(head, (0, 102, 745), (14, 14, 22))
    joined = smooth_min(smooth_min(skull, face, 25), nose, 10)
    outline[head.slices] = smooth_min(outline[head.slices], joined, 20)


def arm_path(patient: Patient, side: int, rng: np.random.Generator) -> tuple[NDArray, NDArray]:
    """Joints of one arm (N, 3) and the limb's radius there."""
    wide = 8 + 0.35 * patient.fat_mm
    jitter = rng.uniform(-10, 10, 4)
    if patient.arms_up:
        joints = [(118, -12, 545), (168 + wide, -15, 590), (196 + wide + jitter[0], -5, 680)]
        joints += [(210 + wide + 2 * jitter[0], 12 + jitter[1], 790), (196 + jitter[2], 34 + jitter[1], 905)]
        radii = [52, 52, 44, 39, 37]
    else:
        joints = [(120, -12, 548), (172 + wide, -18, 545), (206 + wide, -24, 420), (212 + wide, -28, 290)]
        joints += [(205 + wide + jitter[0], 0 + jitter[1], 150), (196 + wide + jitter[0], 25 + jitter[1], 35)]
        joints += [(190 + wide + jitter[0], 28 + jitter[1], -60)]
        radii = [52, 52, 43, 37, 33, 25, 20]
    path = np.array(joints, float) * [side, 1, 1]
    return path, np.array(radii) + 0.25 * patient.fat_mm


def _join_arms(canvas: Canvas, outline: Field, patient: Patient, rng: np.random.Generator) -> None:
    for side in (-1, 1):
        path, radii = arm_path(patient, side, rng)
        patch, limb, _ = tube(canvas, path, radii)
        if not patch.is_empty:
            outline[patch.slices] = smooth_min(outline[patch.slices], limb, 8)
