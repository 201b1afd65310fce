"""Brain, eyes' muscles, glands and throat."""

from __future__ import annotations

import numpy as np

from pointpet.phantom.shapes import Canvas, ellipsoid, smooth_noise, tube


def paint_head(canvas: Canvas, rng: np.random.Generator) -> None:
    """Paint what of the head and neck lies in the field of view."""
    _skull(canvas)
    _brain(canvas, rng)
    _face(canvas, rng)
    _throat(canvas, rng)


def _skull(canvas: Canvas) -> None:
    patch = canvas.box((-85, -105, 700), (85, 110, 900))
    if patch.is_empty:
        return
    bone = ellipsoid(patch, (0, 2, 798), (70, 91, 79))
    canvas.paint(patch, np.maximum(bone, 722 - patch.z), 0.55)
    jaw, shape, _ = tube(
        canvas, np.array([(46, 8, 715), (42, 40, 690), (0, 80, 680), (-42, 40, 690), (-46, 8, 715)]), 6.0
    )
    canvas.paint(jaw, shape, 0.8)


def _brain(canvas: Canvas, rng: np.random.Generator) -> None:
    patch = canvas.box((-72, -92, 728), (72, 92, 880))
    if patch.is_empty:
        return
    grey = rng.uniform(7.0, 13.0)
    white = grey * rng.uniform(0.28, 0.4)
    cerebrum = ellipsoid(patch, (0, 2, 808), (65, 85, 64))
    floor = 752 + 10 * np.clip(patch.y / 60, -0.2, 1.2) - patch.z
    cerebrum = np.maximum(cerebrum, floor.astype(np.float32))
    folds = smooth_noise(rng, patch.axes, 12)
    ribbon = cerebrum + 9 + 5 * folds
    tissue = np.where(ribbon > 0, grey, white) * np.exp(0.08 * smooth_noise(rng, patch.axes, 30))
    fissure = np.abs(patch.x) < 1.5
    sulci = (folds > 1.1) & (cerebrum > -10)
    canvas.paint(patch, cerebrum, np.where(fissure | sulci, white * 0.7, tissue))
    for side in (-1, 1):
        for centre, radii, share in (
            ((side * 24, 12, 800), (9, 20, 12), 1.0),
            ((side * 11, -10, 798), (9, 13, 9), 0.95),
        ):
            canvas.paint(patch, ellipsoid(patch, centre, radii), grey * share)
        canvas.paint(patch, ellipsoid(patch, (side * 9, 2, 815), (5, 28, 7)), 1.2)
        lobe = ellipsoid(patch, (side * 24, -48, 748), (27, 30, 23))
        canvas.paint(patch, lobe, np.where(lobe > -9, grey * 0.82, grey * 0.6))
        temporal = ellipsoid(patch, (side * 44, 18, 762), (19, 36, 18))
        canvas.paint(patch, temporal, np.where(temporal > -9, grey * 0.9, white))
    stem, shape, _ = tube(canvas, np.array([(0, -18, 790), (0, -20, 755), (0, -24, 725)]), 11.0)
    canvas.paint(stem, shape, grey * 0.5)


def _face(canvas: Canvas, rng: np.random.Generator) -> None:
    patch = canvas.box((-70, -40, 640), (70, 110, 790))
    if patch.is_empty:
        return
    soft = rng.uniform(0.8, 1.3) * np.exp(0.22 * smooth_noise(rng, patch.axes, 11))
    canvas.paint(patch, ellipsoid(patch, (0, 38, 722), (52, 52, 56)), soft)
    mucosa = rng.uniform(1.3, 2.4) * np.exp(0.25 * smooth_noise(rng, patch.axes, 9))
    canvas.paint(patch, ellipsoid(patch, (0, 62, 738), (19, 34, 27)), mucosa)
    canvas.paint(patch, ellipsoid(patch, (0, 70, 734), (10, 28, 15)), 0.4)
    muscles = rng.uniform(2.2, 4.5)
    for side in (-1, 1):
        canvas.paint(patch, ellipsoid(patch, (side * 30, 60, 768), (14, 21, 14)), muscles * rng.normal(1, 0.08))
        canvas.paint(patch, ellipsoid(patch, (side * 31, 72, 768), (12, 13, 12)), 0.7)
        canvas.paint(patch, ellipsoid(patch, (side * 30, 50, 768), (8, 14, 8)), 0.8)
        canvas.paint(patch, ellipsoid(patch, (side * 30, 68, 735), (12, 15, 15)), 0.2)
        masseter = ellipsoid(patch, (side * 47, 28, 705), (9, 16, 24))
        canvas.paint(patch, masseter, rng.uniform(0.9, 1.6))
    tongue = ellipsoid(patch, (0, 44, 698), (25, 36, 19))
    canvas.paint(patch, tongue, rng.uniform(1.2, 2.6) * np.exp(0.3 * smooth_noise(rng, patch.axes, 13)))
    floor = ellipsoid(patch, (rng.normal(0, 2), 56, 681), (rng.uniform(14, 24), 22, 7))
    canvas.paint(patch, floor, rng.uniform(1.5, 3.8))


def _throat(canvas: Canvas, rng: np.random.Generator) -> None:
    patch = canvas.box((-75, -40, 585), (75, 70, 745))
    if patch.is_empty:
        return
    pharynx = np.maximum(ellipsoid(patch, (0, 6, 685), (18, 10, 52)), -ellipsoid(patch, (0, 10, 680), (9, 5, 50)))
    canvas.paint(patch, pharynx, rng.uniform(1.0, 1.7) * np.exp(0.2 * smooth_noise(rng, patch.axes, 9)))
    parotid, lower = rng.uniform(1.2, 2.6), rng.uniform(1.3, 2.9)
    tonsil = float(np.exp(rng.normal(np.log(2.9), 0.3)))
    thyroid = float(np.exp(rng.normal(np.log(1.4), 0.2)))
    glands = (
        ((52, 4, 712), (11, 17, 24), parotid),
        ((30, 30, 672), (10, 14, 11), lower),
        ((17, 18, 694), (6, 8, 13), tonsil),
        ((16, 10, 618), (8, 9, 21), thyroid),
    )
    for side in (-1, 1):
        for (x, y, z), radii, value in glands:
            centre = np.array([side * x, y, z]) + rng.normal(0, 2.5, 3)
            shape = ellipsoid(patch, centre, np.array(radii) * rng.normal(1, 0.1, 3))
            shape = shape + 1.5 * smooth_noise(rng, patch.axes, 12)
            canvas.paint(patch, shape, value * float(np.exp(rng.normal(0, 0.15))))
    canvas.paint(patch, ellipsoid(patch, (0, 2, 722), (15, 7, 12)), tonsil * 0.8)
    if rng.random() < 0.4:
        cords = ellipsoid(patch, (0, 14, 645), (9, 9, 5))
        canvas.paint(patch, cords, rng.uniform(1.8, 4.0))
