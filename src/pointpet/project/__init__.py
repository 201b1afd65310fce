"""Coronal and sagittal maximum intensity projections with their geometry."""

from pointpet.project.coarsen import coarse_pixels, coarsen, coarsen_plane
from pointpet.project.depth import ray_depth
from pointpet.project.grid import projection_grid
from pointpet.project.mips import Interpolation, project, project_mask
from pointpet.project.turned import turned_mips

__all__ = [
    "Interpolation",
    "coarse_pixels",
    "coarsen",
    "coarsen_plane",
    "project",
    "project_mask",
    "projection_grid",
    "ray_depth",
    "turned_mips",
]
