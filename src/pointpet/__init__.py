"""From a class label and one click per patient to 3D tumour masks in FDG-PET. Research use only."""

from pointpet._version import __version__

__all__ = ["__version__"]
