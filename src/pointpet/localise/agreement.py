"""Two views of one lesion must agree, and the lesion takes up tracer: both are used to clean the maps.

A peak that one view alone shows (a kidney on the sagittal MIP, a hot heart) has no counterpart in the other. With the
volume, evidence is asked for voxel by voxel: a pixel counts for what the best voxel on its ray has in both maps and in
uptake. Without it (ready-made pictures) each map stands for both, and is weighted by its own MIP's uptake alone.

Shape letters: U, Z pixels of a view; X, Y, Z voxels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pointpet.core import ActivationMap, GeometryError, MipPair, Plane, Volume
from pointpet.localise.backproject import back_project
from pointpet.localise.candidates import MAP_FLOOR, WeightedCandidates
from pointpet.localise.settings import LocaliseSettings
from pointpet.project import project

LEAST_VALUE = 0.02
"""Share of a map's maximum below which a voxel is not looked at: it cannot win, and most of the body lies below."""


def agreed_maps(
    volume: Volume,
    maps: Mapping[Plane, ActivationMap],
    settings: LocaliseSettings,
    candidates: WeightedCandidates | None = None,
) -> dict[Plane, ActivationMap]:
    """Ask both maps and the uptake for each voxel, and project the answer back on both views.

    M'(x, z) = sqrt(max_y E / max E) with E(x, y, z) = M_coronal(x, z) M_sagittal(y, z) SUV(x, y, z)^uptake_power, and
    the same along x for the sagittal view. With candidates, E is weighted by what lies near, and `MAP_FLOOR` is
    added to each M: a map that is blind for a place does not rule it out. Candidates that reach no voxel are left out.
    Maps that share no voxel are returned as they were.

    Args:
        volume: SUV.
        maps: both planes, (U, Z) in [0, 1], on the world-aligned grid that `project` makes of the volume.
        settings: `uptake_power`.
        candidates: places where uptake stands out, with their weights.

    Raises:
        GeometryError: a plane is missing, a map has no world coordinates, or is not on the volume's projection grid.
    """
    if candidates is None:
        projected = back_project(volume.grid, maps, threshold=LEAST_VALUE)
    else:
        raised = {plane: replace(one, values=(one.values + MAP_FLOOR) / (1 + MAP_FLOOR)) for plane, one in maps.items()}
        projected = back_project(volume.grid, raised, threshold=LEAST_VALUE, within=candidates.reached(volume.grid))
    if projected is None:
        return dict(maps) if candidates is None else agreed_maps(volume, maps, settings)
    suv = settings.uptake_weight(volume.voxels[projected.box])
    # In the volume's order in memory: in another one the projection takes four times as long.
    evidence = np.zeros_like(volume.voxels)
    evidence[projected.box] = projected.product * suv
    if candidates is not None:
        evidence[projected.box] *= candidates.on(volume.grid, projected.box)
    highest = float(evidence.max())
    if highest <= 0:
        return dict(maps) if candidates is None else agreed_maps(volume, maps, settings)
    views = project(Volume(evidence / highest, volume.affine, volume.unit), pixel_mm=maps[Plane.CORONAL].pixel_mm)
    agreed = {}
    for plane, activation in maps.items():
        values = views.values(plane)
        assert values is not None
        _require_shape(plane, activation, values)
        agreed[plane] = replace(activation, values=np.sqrt(values))
    return agreed


def weighted_maps(
    maps: Mapping[Plane, ActivationMap], mips: MipPair, settings: LocaliseSettings
) -> dict[Plane, ActivationMap]:
    """Weight each view's map by the uptake its own MIP shows: M' = M sqrt(SUV^uptake_power) over its maximum.

    That is what `agreed_maps` gives where both views show one map, so that thresholds mean the same. A map that would
    vanish altogether is returned as it was.

    Args:
        maps: plane to map (U, Z) in [0, 1].
        mips: the MIPs the maps were made from, of the same shapes.
        settings: `uptake_power`; at 0 the maps are returned as they are.

    Raises:
        GeometryError: a map has another shape than its MIP.
    """
    weighted: dict[Plane, ActivationMap] = {}
    for plane, activation in maps.items():
        suv = mips.values(plane)
        assert suv is not None
        _require_shape(plane, activation, suv)
        evidence = activation.values * np.sqrt(settings.uptake_weight(suv))
        highest = float(evidence.max())
        changes = settings.uptake_power > 0 and highest > 0
        weighted[plane] = replace(activation, values=evidence / highest) if changes else activation
    return weighted


def _require_shape(plane: Plane, activation: ActivationMap, values: NDArray) -> None:
    if values.shape != activation.values.shape:
        raise GeometryError(
            "PP-LOC-SHAPE",
            f"{plane} activation map",
            f"must have its MIP's shape {values.shape}, got {activation.values.shape}",
            "Give the MIPs that the maps were made from",
        )
