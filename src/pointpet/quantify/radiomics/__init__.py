"""IBSI radiomics of a mask."""

from pointpet.quantify.radiomics.catalogue import FEATURES, Feature
from pointpet.quantify.radiomics.features import Backend, radiomic_features, radiomics_backend
from pointpet.quantify.radiomics.settings import RadiomicsSettings

__all__ = ["FEATURES", "Backend", "Feature", "RadiomicsSettings", "radiomic_features", "radiomics_backend"]
