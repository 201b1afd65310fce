"""A canvas of activity and the implicit shapes that anatomy is painted with.

Shapes are signed distances in millimetres, negative inside, exact enough near their surface for anti-aliasing. They are
evaluated in bounding boxes on sparse axes: X, Y, Z are voxels along the patient's left-to-right, back-to-front and
feet-to-head axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import BSpline, PchipInterpolator

Field = NDArray[np.float32]

FAR_MM = np.float32(1e3)
"""A distance beyond every shape: what a tube's field holds away from the tube."""

_NOISE_SD = 0.332
"""Standard deviation of a 3D cubic B-spline with unit normal coefficients: mean squared weight sum 0.479 an axis."""


@dataclass(frozen=True)
class Patch:
    """A box of the canvas: its slices and sparse coordinates x (X, 1, 1), y (1, Y, 1), z (1, 1, Z) in mm."""

    slices: tuple[slice, slice, slice]
    x: Field
    y: Field
    z: Field

    @property
    def axes(self) -> tuple[Field, Field, Field]:
        """The three coordinates as one-dimensional arrays."""
        return self.x.ravel(), self.y.ravel(), self.z.ravel()

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels of the box."""
        return self.x.size, self.y.size, self.z.size

    @property
    def is_empty(self) -> bool:
        """True where the box lies outside the canvas."""
        return 0 in self.shape


class Canvas:
    """Activity (X, Y, Z), SUV, while it is being painted.

    Args:
        axes: three coordinate arrays in mm, equally spaced.
        activity: what is painted on; zero where absent.
    """

    def __init__(self, axes: Sequence[NDArray], activity: Field | None = None) -> None:
        self.axes = tuple(np.asarray(axis, np.float32) for axis in axes)
        shape = [axis.size for axis in self.axes]
        self.activity: Field = np.zeros(shape, np.float32) if activity is None else activity
        self.step_mm = float(np.mean([axis[1] - axis[0] for axis in self.axes]))

    def scaled(self, scale: Sequence[float]) -> Canvas:
        """The same activity seen in a frame whose coordinates are `scale` times these."""
        return Canvas([axis * np.float32(k) for axis, k in zip(self.axes, scale, strict=True)], self.activity)

    def box(self, low: ArrayLike, high: ArrayLike) -> Patch:
        """The part of the canvas between two corners, one voxel larger on each side."""
        slices = []
        for axis, lo, hi in zip(self.axes, np.asarray(low, float), np.asarray(high, float), strict=True):
            first, last = np.searchsorted(axis, [lo - self.step_mm, hi + self.step_mm])
            slices.append(slice(int(first), int(max(first, last))))
        return self.patch((slices[0], slices[1], slices[2]))

    def patch(self, slices: tuple[slice, slice, slice]) -> Patch:
        """The box of `slices` with its coordinates."""
        x, y, z = (axis[cut] for axis, cut in zip(self.axes, slices, strict=True))
        return Patch(slices, x[:, None, None], y[None, :, None], z[None, None, :])

    def coverage(self, sdf: NDArray) -> Field:
        """Share of each voxel inside a shape, from its signed distance at the voxel's centre."""
        share = np.multiply(sdf, np.float32(-1 / self.step_mm), dtype=np.float32)
        share += np.float32(0.5)
        return np.clip(share, 0, 1, out=share)

    def paint(self, patch: Patch, sdf: NDArray, value: ArrayLike) -> None:
        """Replace what lies inside `sdf` by `value` (a number or a field of the patch's shape)."""
        if patch.is_empty:
            return
        inside = self.coverage(sdf)
        region = self.activity[patch.slices]
        region += inside * (np.asarray(value, np.float32) - region)


def curve(knots: Sequence[tuple[float, float]]) -> PchipInterpolator:
    """A smooth, overshoot-free function through (z, value) pairs, constant beyond its ends."""
    z, value = np.array(sorted(knots), float).T
    return PchipInterpolator(np.r_[z[0] - 500, z, z[-1] + 500], np.r_[value[0], value, value[-1]])


def ellipsoid(patch: Patch, centre: ArrayLike, radii: ArrayLike, rotation: NDArray | None = None) -> Field:
    """Signed distance to an ellipsoid, exact on its surface; rows of `rotation` are its axes."""
    offsets = [
        axis - np.float32(c) for axis, c in zip((patch.x, patch.y, patch.z), np.asarray(centre, float), strict=True)
    ]
    inverse = 1 / np.asarray(radii, float)
    if rotation is None:
        squares = sum((offset * np.float32(k)) ** 2 for offset, k in zip(offsets, inverse, strict=True))
        slopes = sum((offset * np.float32(k * k)) ** 2 for offset, k in zip(offsets, inverse, strict=True))
    else:
        squares = slopes = np.float32(0)
        for row, k in zip(rotation, inverse, strict=True):
            along = sum(offset * np.float32(c) for offset, c in zip(offsets, row, strict=True))
            squares = squares + (along * np.float32(k)) ** 2
            slopes = slopes + (along * np.float32(k * k)) ** 2
    radius = np.sqrt(squares)
    # First-order distance of an implicit quadric (Taubin 1994): f / |grad f|; limited where the gradient vanishes.
    return np.asarray(radius * (radius - 1) / np.maximum(np.sqrt(slopes), np.float32(1e-4)), np.float32)


def tube(
    canvas: Canvas,
    path: NDArray,
    radius: ArrayLike,
    values: ArrayLike = 0.0,
    *,
    spacing: float = 0.35,
    margin: float = 4.0,
) -> tuple[Patch, Field, Field]:
    """Signed distance to a tube along `path` and the value of its nearest point.

    Args:
        canvas: where it lies.
        path: (N, 3) control points in mm, joined by a smooth curve.
        radius: one number, or N of them.
        values: one number, or N of them.
        spacing: distance of the balls that make the tube, in radii.
        margin: how far outside the tube its distance is known, mm; `FAR_MM` beyond.

    Returns:
        Patch around the tube, distance and value on it.
    """
    path = np.asarray(path, float)
    radii, values = (np.broadcast_to(np.asarray(v, float), len(path)) for v in (radius, values))
    points, radii, values = _resample(path, radii, values, spacing)
    reach = radii[:, None] + margin
    patch = canvas.box((points - reach).min(0), (points + reach).max(0))
    distance = np.full(patch.shape, FAR_MM, np.float32)
    nearest = np.zeros(patch.shape, np.float32)
    if patch.is_empty:
        return patch, distance, nearest
    lows, highs = _cells(patch, points - reach, points + reach)
    x, y, z = patch.axes
    for low, high, point, size, value in zip(lows, highs, points.astype(np.float32), radii, values, strict=True):
        if (high <= low).any():
            continue
        local = (slice(low[0], high[0]), slice(low[1], high[1]), slice(low[2], high[2]))
        dx, dy, dz = x[local[0]] - point[0], y[local[1]] - point[1], z[local[2]] - point[2]
        here = np.sqrt((dx * dx)[:, None, None] + ((dy * dy)[:, None] + dz * dz)) - np.float32(size)
        closer = here < distance[local]
        distance[local][closer] = here[closer]
        nearest[local][closer] = value
    return patch, distance, nearest


def _cells(patch: Patch, low_mm: NDArray, high_mm: NDArray) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First and past-the-last cell (N, 3) of `patch` between corners (N, 3)."""
    lows, highs = [], []
    for axis, line in enumerate(patch.axes):
        lows.append(np.searchsorted(line, low_mm[:, axis]))
        highs.append(np.searchsorted(line, high_mm[:, axis]))
    return np.column_stack(lows), np.column_stack(highs)


def _resample(path: NDArray, radii: NDArray, values: NDArray, spacing: float) -> tuple[NDArray, NDArray, NDArray]:
    """Points along the smooth curve through `path`, `spacing` radii apart, with radius and value."""
    lengths = np.maximum(np.linalg.norm(np.diff(path, axis=0), axis=1), 1e-3)
    knots = np.r_[0, np.cumsum(lengths)]
    count = max(2, int(np.ceil(knots[-1] / max(spacing * float(radii.min()), 1.0))) + 1)
    at = np.linspace(0, knots[-1], count)
    columns = np.column_stack([path, radii, values])
    sampled = PchipInterpolator(knots, columns)(at)
    return sampled[:, :3], sampled[:, 3], sampled[:, 4]


def smooth_noise(rng: np.random.Generator, axes: Sequence[NDArray], scale_mm: float | Sequence[float]) -> Field:
    """A smooth Gaussian random field (X, Y, Z) of mean 0 and variance 1 that varies over about `scale_mm`."""
    if any(np.size(axis) == 0 for axis in axes):
        return np.zeros([np.size(axis) for axis in axes], np.float32)
    scales = np.broadcast_to(np.asarray(scale_mm, float), 3)
    weights = [_spline_weights(np.asarray(axis, float), scale) for axis, scale in zip(axes, scales, strict=True)]
    lattice = rng.standard_normal([weight.shape[1] for weight in weights], dtype=np.float32)
    lattice /= np.float32(_NOISE_SD)
    field = np.tensordot(weights[0], lattice, axes=(1, 0))
    field = np.matmul(weights[1], field)
    return np.asarray(field @ weights[2].T, np.float32)


def _spline_weights(axis: NDArray, scale: float) -> Field:
    """Cubic B-spline weights (n, k) that interpolate a lattice of step `scale` at `axis`."""
    count = int(np.ceil((axis[-1] - axis[0]) / scale)) + 1
    knots = axis[0] + scale * np.arange(-3, count + 4)
    return BSpline.design_matrix(axis, knots, 3).toarray().astype(np.float32)


def linear_weights(fine: NDArray, few: NDArray) -> Field:
    """Weights (n, k) that interpolate linearly between the values at `few` equally spaced points."""
    at = np.clip((fine - few[0]) / (few[1] - few[0]), 0, few.size - 1)
    return np.clip(1 - np.abs(at[:, None] - np.arange(few.size)[None, :]), 0, 1).astype(np.float32)


def resample(field: Field, weights: tuple[Field, Field, Field]) -> Field:
    """Apply one weight matrix (new, old) an axis to a field (X, Y, Z)."""
    out = np.tensordot(weights[0], field, axes=(1, 0))
    out = np.matmul(weights[1], out)
    return np.asarray(out @ weights[2].T, np.float32)


def smooth_max(first: NDArray, second: NDArray, rounding_mm: float) -> Field:
    """Intersection of two shapes with its edge rounded (polynomial smooth maximum)."""
    blend = np.subtract(first, second, dtype=np.float32)
    np.abs(blend, out=blend)
    np.subtract(np.float32(rounding_mm), blend, out=blend)
    np.maximum(blend, 0, out=blend)
    blend *= blend
    blend *= np.float32(0.25 / rounding_mm)
    blend += np.maximum(first, second)
    return blend


def smooth_min(first: NDArray, second: NDArray, rounding_mm: float) -> Field:
    """Union of two shapes with its crease filled."""
    return -smooth_max(-first, -second, rounding_mm)


def rotation_to(direction: ArrayLike) -> NDArray[np.float64]:
    """Rotation (3, 3) whose last row is `direction`: the long axis of an ellipsoid."""
    along = np.asarray(direction, float)
    along = along / np.linalg.norm(along)
    helper = np.eye(3)[int(np.argmin(np.abs(along)))]
    first = np.cross(helper, along)
    first /= np.linalg.norm(first)
    return np.stack([first, np.cross(along, first), along])
