"""The one door between cases and methods: what a method declares goes through, nothing else does."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from pointpet.core import Mask, Volume
from pointpet.io.mip_pictures import read_picture_masks
from pointpet.methods.base import CaseInput, Given
from pointpet.pipeline.inputs import read_case_mask
from pointpet.pipeline.prepare import PreparedCase, case_pixels, read_case_volume


class VolumeReader:
    """Reads volumes and masks of cases, keeping the last few: all methods are asked about one case in turn."""

    def __init__(self, keep: int = 2) -> None:
        self._volume = lru_cache(maxsize=keep)(self._read_volume)

    def volume(self, prepared: PreparedCase) -> Volume:
        """The case's SUV volume."""
        return self._volume(prepared)

    def mask(self, prepared: PreparedCase) -> Mask:
        """The case's reference mask, on the volume's grid."""
        return read_case_mask(prepared.case, self.volume(prepared))

    @staticmethod
    def _read_volume(prepared: PreparedCase) -> Volume:
        return read_case_volume(prepared.case)


def case_input(prepared: PreparedCase, given: frozenset[Given], reader: VolumeReader) -> CaseInput:
    """Build what a method may see of `prepared`: the PET and its MIPs, and of the annotation only what is `given`."""
    case, mips = prepared.case, prepared.mips
    load_volume: Callable[[], Volume] | None = None
    if case.pet is not None:
        load_volume = lambda: reader.volume(prepared)  # noqa: E731
    shows_mask = Given.MASK in given and case.mask is not None
    shows_picture_masks = Given.MASK in given and bool(case.mip_masks)
    shows_point = Given.POINT in given
    return CaseInput(
        case_id=case.case_id,
        patient_id=case.patient_id,
        mips=mips,
        load_turned=prepared.turned,
        load_volume=load_volume,
        load_candidates=prepared.candidates if prepared.has_candidates else None,
        label=case.label if Given.LABEL in given else None,
        **({"points_mm": case.points_mm, "pixels": case_pixels(case, mips)} if shows_point else {}),
        load_mask=(lambda: reader.mask(prepared)) if shows_mask else None,
        load_picture_masks=(lambda: read_picture_masks(case)) if shows_picture_masks else None,
    )
