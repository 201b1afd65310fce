"""Coronal and sagittal maximum intensity projections with their geometry.

The package can be called: `pointpet.project(volume)` is `pointpet.project.project(volume)`. The Python interface has a
function of this package's name, and Python binds the package to the name on import: docs/decisions/0012.
"""

import sys
from types import ModuleType

from pointpet.core import MipPair, Volume
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


class _CallablePackage(ModuleType):
    """This package as a function."""

    def __call__(self, volume: Volume, *, pixel_mm: float = 2.0, interpolation: Interpolation = "nearest") -> MipPair:
        """See `mips.project`."""
        return project(volume, pixel_mm=pixel_mm, interpolation=interpolation)


sys.modules[__name__].__class__ = _CallablePackage
