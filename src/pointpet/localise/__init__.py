"""Two MIP maps, or one click, to a 3D mask: back-projection, seeds, outline rules, flags."""

from pointpet.localise.backproject import BackProjection, back_project
from pointpet.localise.localise import Localisation, localise
from pointpet.localise.outline import RULES, OutlineRule
from pointpet.localise.pictures import localise_pictures, picture_flags
from pointpet.localise.point import PointSegmentation, segment_point
from pointpet.localise.settings import HULL_OUTLINES, LocaliseSettings, outline_names

__all__ = [
    "HULL_OUTLINES",
    "RULES",
    "BackProjection",
    "Localisation",
    "LocaliseSettings",
    "OutlineRule",
    "PointSegmentation",
    "back_project",
    "localise",
    "localise_pictures",
    "outline_names",
    "picture_flags",
    "segment_point",
]
