"""IBSI radiomics of a mask."""

from pointpet.quantify.radiomics.settings import RadiomicsSettings

__all__ = ["RadiomicsSettings"]
