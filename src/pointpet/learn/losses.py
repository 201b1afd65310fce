"""Readings of the distance loss: how far a class activation map lies from the points.

Every reading is a pure function of the raw map of a view's true class and gives one loss a view. The distance between
"the CAM and the central point" has no formula in its source; each reading is one way to take it.

Shape letters: B views, N points of a view, h, w rows and columns of the map.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from pointpet.learn.backend import functional, torch
from pointpet.learn.settings import TrainingSettings

UNIT_MM = 100.0
"""Distances enter the loss in decimetres, which puts them beside a cross-entropy: both are about 1 at the start."""

TINY = 1e-6
"""Guards divisions by a map's largest value or mass."""


class MapTargets(NamedTuple):
    """Where the points of a batch of maps are.

    Args:
        points: (B, N, 2) fractional (row, column) in cells, 0 at a cell's centre; NaN fills up views with fewer points.
            A view needs at least one.
        valid: (B, h, w) bool, cells that exist.
        cell_mm: edge of a cell.
    """

    points: torch.Tensor
    valid: torch.Tensor
    cell_mm: float


Reading = Callable[[torch.Tensor, MapTargets, TrainingSettings], torch.Tensor]
"""(maps (B, h, w) raw, targets, settings) -> losses (B,)."""


def distances_mm(targets: MapTargets) -> torch.Tensor:
    """(B, h, w) distance of each cell's centre to the nearest of its view's points, mm."""
    return _to_points_mm(_cell_centres(targets.valid), targets).amin(dim=-1)


def _cell_centres(valid: torch.Tensor) -> torch.Tensor:
    """(1, h, w, 2) row and column of each cell."""
    rows = torch.arange(valid.shape[1], device=valid.device, dtype=torch.float32)
    columns = torch.arange(valid.shape[2], device=valid.device, dtype=torch.float32)
    return torch.stack(torch.meshgrid(rows, columns, indexing="ij"), dim=-1)[None]


def _to_points_mm(positions: torch.Tensor, targets: MapTargets) -> torch.Tensor:
    """(B, ..., N) distances of positions (B or 1, ..., 2) to each point, mm; infinite for filling points."""
    points = targets.points.reshape(len(targets.points), *[1] * (positions.ndim - 2), -1, 2)
    squared = (positions.unsqueeze(-2) - torch.nan_to_num(points)).square().sum(-1)
    # The root's slope is infinite at 0, where a centroid may come to lie.
    distances = (squared + TINY).sqrt() * targets.cell_mm
    return distances.masked_fill(torch.isnan(points[..., 0]), torch.inf)


def _mass(maps: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Positive part of each map divided by its sum (B, h, w); all zero where no cell is positive."""
    positive = functional.relu(maps) * valid
    return positive / positive.sum((1, 2), keepdim=True).clamp_min(TINY)


def _normalised(maps: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Positive part of each map divided by its largest value (B, h, w); all zero where no cell is positive."""
    positive = functional.relu(maps) * valid
    return positive / positive.amax((1, 2), keepdim=True).clamp_min(TINY)


def _centroid_distance(mass: torch.Tensor, targets: MapTargets) -> torch.Tensor:
    centroids = (mass[..., None] * _cell_centres(targets.valid)).sum((1, 2))
    return _to_points_mm(centroids, targets).amin(dim=-1) / UNIT_MM


def centroid(maps: torch.Tensor, targets: MapTargets, _: TrainingSettings) -> torch.Tensor:
    """Distance of the centre of mass of the map's positive part to the nearest point, dm; 0 for an empty map."""
    mass = _mass(maps, targets.valid)
    return _centroid_distance(mass, targets) * (mass.sum((1, 2)) > 0)


def softmax_centroid(maps: torch.Tensor, targets: MapTargets, _: TrainingSettings) -> torch.Tensor:
    """Distance of the centre of the spatial softmax of the raw map to the nearest point, dm."""
    return _centroid_distance(_log_softmax(maps, targets.valid).exp(), targets)


def weighted(maps: torch.Tensor, targets: MapTargets, settings: TrainingSettings) -> torch.Tensor:
    """Mean distance of the map's positive part to the points beyond the tolerance, dm; 0 for an empty map."""
    beyond = functional.relu(distances_mm(targets) - settings.tolerance_mm)
    return (_mass(maps, targets.valid) * beyond).sum((1, 2)) / UNIT_MM


def above_controls(
    maps: torch.Tensor, targets: MapTargets, control_peaks: torch.Tensor, settings: TrainingSettings
) -> torch.Tensor:
    """Hinge that holds the raw map's peak inside the discs above the same class's maps of patients without lesions.

    relu((max of a control's map - max inside) / sg(max |M|) + margin), the mean over the controls of the batch: what
    a class without lesions shows is physiological. The rest of the patient's own map is left alone, since lesions that
    nobody clicked lie there; 0 in a batch without controls.

    Args:
        maps, targets, settings: as in `Reading`.
        control_peaks: (B, K) highest raw value of the map of each view's class in each of K control views.
    """
    if not control_peaks.shape[1]:
        return maps.new_zeros(len(maps))
    inside, _ = _sides(targets, settings.radius_mm)
    peak_inside = maps.masked_fill(~inside, torch.finfo(maps.dtype).min).amax((1, 2))
    scale = torch.maximum(_largest(maps, targets.valid), control_peaks.detach().abs().amax(1))
    differences = (control_peaks - peak_inside[:, None]) / scale[:, None]
    return functional.relu(differences + settings.margin).mean(1)


def _sides(targets: MapTargets, radius_mm: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Cells (B, h, w) inside the discs around the points, and those outside; the nearest cell is always inside."""
    distances = distances_mm(targets).masked_fill(~targets.valid, torch.inf)
    inside = (distances <= radius_mm) | (distances <= distances.amin((1, 2), keepdim=True))
    return inside & targets.valid, ~inside & targets.valid


def _largest(maps: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Highest absolute value of each map, no slope through it."""
    return (maps.detach().abs() * valid).amax((1, 2)).clamp_min(TINY)


def margin(maps: torch.Tensor, targets: MapTargets, settings: TrainingSettings) -> torch.Tensor:
    """Hinge that holds the raw map's peak outside the discs around the points below the peak inside.

    relu((max outside - max inside) / sg(max |M|) + margin), sg the stop-gradient, discs of `radius_mm`. The cell
    nearest to a point is inside whatever the radius.
    """
    inside, outside = _sides(targets, settings.radius_mm)
    lowest = torch.finfo(maps.dtype).min
    peak_inside = maps.masked_fill(~inside, lowest).amax((1, 2))
    peak_outside = maps.masked_fill(~outside, lowest).amax((1, 2))
    hinge = functional.relu((peak_outside - peak_inside) / _largest(maps, targets.valid) + settings.margin)
    return torch.where(outside.any(2).any(1), hinge, torch.zeros_like(hinge))


def gaussian(maps: torch.Tensor, targets: MapTargets, settings: TrainingSettings) -> torch.Tensor:
    """Mean squared error of the normalised positive map against a Gaussian of `sigma_mm` at the points.

    A map without a positive cell is 0 and so is its gradient: it cannot recover. Kept to reproduce that collapse.
    """
    target = torch.exp(-distances_mm(targets).square() / (2 * settings.sigma_mm**2))
    squares = (_normalised(maps, targets.valid) - target).square() * targets.valid
    return squares.sum((1, 2)) / targets.valid.sum((1, 2))


def cross_entropy(maps: torch.Tensor, targets: MapTargets, _: TrainingSettings) -> torch.Tensor:
    """Spatial cross-entropy: minus the log of the raw map's softmax in the cells that hold the points."""
    distances = _to_points_mm(_cell_centres(targets.valid), targets)
    nearest = distances.masked_fill(~targets.valid[..., None], torch.inf).amin((1, 2), keepdim=True)
    held = ((distances <= nearest) & (distances < torch.inf)).any(-1)
    return -torch.logsumexp(_log_softmax(maps, targets.valid).masked_fill(~held, -torch.inf).flatten(1), dim=1)


def _log_softmax(maps: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    lowest = torch.finfo(maps.dtype).min
    flat = maps.masked_fill(~valid, lowest).flatten(1)
    return functional.log_softmax(flat, dim=1).reshape(maps.shape)


READINGS: Mapping[str, Reading] = MappingProxyType(
    {
        "centroid": centroid,
        "weighted": weighted,
        "margin": margin,
        "softmax_centroid": softmax_centroid,
        "gaussian": gaussian,
        "cross_entropy": cross_entropy,
    }
)
"""The readings by their name in the settings; `none` has no entry."""


def empty_maps(maps: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """(B,) bool: maps without a positive cell, which normalise to nothing and point nowhere."""
    return maps.masked_fill(~valid, -torch.inf).amax((1, 2)) <= 0
