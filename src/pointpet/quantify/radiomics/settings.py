"""Every choice of the radiomics, with its meaning."""

from __future__ import annotations

from dataclasses import dataclass

from pointpet.core import check_settings, option

VOLUME_INTERPOLATIONS = ("nearest", "linear", "cubic")
MASK_INTERPOLATIONS = ("nearest", "linear")
SPACING_RANGE_MM = (0.5, 10.0)
BIN_RANGE_SUV = (0.01, 10.0)


@dataclass(frozen=True)
class RadiomicsSettings:
    """IBSI radiomics; grey levels are bins of a fixed size from SUV 0, texture matrices 3D and merged over directions.

    Source: Zwanenburg et al., Radiology 2020;295:328-338, and the IBSI reference manual, 2.4 (interpolation) and 2.7
    (fixed bin size). That grey levels of PET be of one size in SUV, and not a number of levels a tumour: Leijenaar et
    al., Sci Rep 2015;5:11075; Hatt et al. (EANM and SNMMI), Eur J Nucl Med Mol Imaging 2023;50:352-375.

    Raises:
        ConfigError: one value is out of its range. Faults: several are.
    """

    spacing_mm: float | None = option(
        3.0, "Edge in mm of the cubes that PET and mask are resampled to, 2 or 3 for PET; null: the PET's own grid"
    )
    bin_suv: float = option(0.25, "Size of a grey level in SUV (fixed bin size, the first bin begins at SUV 0)")
    interpolation: str = option("cubic", "How the PET is resampled: nearest, linear or cubic (B-spline)")
    mask_interpolation: str = option(
        "linear", "How the mask is resampled: nearest or linear (a share of 0.5 is inside)"
    )

    def __post_init__(self) -> None:
        bounds = {"spacing_mm": SPACING_RANGE_MM, "bin_suv": BIN_RANGE_SUV}
        check_settings(
            self,
            "radiomics",
            [
                (name, f"{low} to {high}", (value := getattr(self, name)) is None or low <= value <= high)
                for name, (low, high) in bounds.items()
            ],
            {"interpolation": VOLUME_INTERPOLATIONS, "mask_interpolation": MASK_INTERPOLATIONS},
        )
