"""A mask in the formats that an archive takes, beside the NIfTI that is always written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pointpet.core import ConfigError, Mask, OutputError
from pointpet.io.dicom_masks import MaskOrigin
from pointpet.io.reading import PetReading

FORMATS = ("nifti", "dicom-seg", "rtstruct")


def check_formats(formats: Sequence[str]) -> tuple[str, ...]:
    """Return the formats asked for.

    Raises:
        ConfigError: an unknown one.
    """
    for name in formats:
        if name not in FORMATS:
            raise ConfigError(
                "PP-FORMAT-UNKNOWN", f"--formats {name}", "is not known", f"Use some of: {', '.join(FORMATS)}"
            )
    return tuple(formats)


def write_dicom_masks(
    folder: Path, mask: Mask, reading: PetReading, formats: Sequence[str], origin: MaskOrigin
) -> list[str]:
    """Write seg.dcm and rtstruct.dcm as asked; an empty mask has no DICOM object.

    Returns:
        Warnings: what was asked for and not written.

    Raises:
        OutputError: the scan is no DICOM series, so that there is nothing to refer to.
    """
    wanted = [name for name in formats if name != "nifti"]
    if not wanted:
        return []
    if reading.series is None or reading.volume.stored is None:
        raise OutputError(
            "PP-FORMAT-SOURCE",
            f"--formats {','.join(wanted)}",
            "needs a DICOM series as input, got NIfTI",
            "Give the DICOM folder, or ask for nifti",
        )
    if not mask.voxels.any():
        return [f"the mask is empty: no {name} was written" for name in wanted]
    if "dicom-seg" in wanted:
        from pointpet.io.dicom_seg import write_seg

        write_seg(folder / "seg.dcm", mask, reading.volume.stored, reading.series, origin)
    if "rtstruct" in wanted:
        from pointpet.io.rtstruct_write import write_rtstruct

        write_rtstruct(folder / "rtstruct.dcm", mask, reading.volume.stored, reading.series, origin)
    return []
