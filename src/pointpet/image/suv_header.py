"""What a PET header states and what an SUV conversion gives back. Plain types, no DICOM library.

Shape letter: Z slices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from pointpet.core import SuvError
from pointpet.core.volume import freeze


@dataclass(frozen=True)
class Attribute:
    """A DICOM attribute by the standard's own words: `Patient's Weight (0010,1030)`."""

    name: str
    tag: tuple[int, int]

    @property
    def code(self) -> str:
        """The tag as (gggg,eeee)."""
        return f"({self.tag[0]:04X},{self.tag[1]:04X})"

    @property
    def number(self) -> int:
        """The tag as one integer."""
        return self.tag[0] << 16 | self.tag[1]

    def __str__(self) -> str:
        return f"{self.name} {self.code}"


SERIES_DATE = Attribute("Series Date", (0x0008, 0x0021))
SERIES_TIME = Attribute("Series Time", (0x0008, 0x0031))
ACQUISITION_DATE = Attribute("Acquisition Date", (0x0008, 0x0022))
ACQUISITION_TIME = Attribute("Acquisition Time", (0x0008, 0x0032))
ACQUISITION_DATETIME = Attribute("Acquisition DateTime", (0x0008, 0x002A))
GE_SCAN_DATETIME = Attribute("GE PET Scan DateTime", (0x0009, 0x100D))
SIEMENS_DECAY_DATETIME = Attribute("Siemens Decay Correction DateTime", (0x0071, 0x1022))
FRAME_REFERENCE_TIME = Attribute("Frame Reference Time", (0x0054, 0x1300))
FRAME_DURATION = Attribute("Actual Frame Duration", (0x0018, 0x1242))
INJECTION_DATETIME = Attribute("Radiopharmaceutical Start DateTime", (0x0018, 0x1078))
INJECTION_TIME = Attribute("Radiopharmaceutical Start Time", (0x0018, 0x1072))
INJECTIONS = Attribute("Radiopharmaceutical Information Sequence", (0x0054, 0x0016))
WEIGHT = Attribute("Patient's Weight", (0x0010, 0x1030))
HEIGHT = Attribute("Patient's Size", (0x0010, 0x1020))
SEX = Attribute("Patient's Sex", (0x0010, 0x0040))
DOSE = Attribute("Radionuclide Total Dose", (0x0018, 0x1074))
HALF_LIFE = Attribute("Radionuclide Half Life", (0x0018, 0x1075))
NUCLIDE = Attribute("Radionuclide Code Sequence", (0x0054, 0x0300))
SLOPE = Attribute("Rescale Slope", (0x0028, 0x1053))
INTERCEPT = Attribute("Rescale Intercept", (0x0028, 0x1052))
CORRECTED_IMAGE = Attribute("Corrected Image", (0x0028, 0x0051))
UNITS = Attribute("Units", (0x0054, 0x1001))
SUV_TYPE = Attribute("SUV Type", (0x0054, 0x1006))
DECAY_CORRECTION = Attribute("Decay Correction", (0x0054, 0x1102))
PHILIPS_SUV_FACTOR = Attribute("Philips SUV Scale Factor", (0x7053, 0x1000))
PHILIPS_ACTIVITY_FACTOR = Attribute("Philips Activity Concentration Scale Factor", (0x7053, 0x1009))


@dataclass(frozen=True, eq=False)
class PetHeader:
    """The facts of one PET series; None where the header lacks one. Dates and times stay as DICOM text.

    Args:
        slopes: (Z,) Rescale Slope of each slice; NaN where absent.
        intercepts: (Z,) Rescale Intercept of each slice; 0 where absent, as the PET module fixes it.
        units: `BQML`, `GML`, ... decay_correction: `START`, `ADMIN` or `NONE`.
        corrected_image: the corrections applied, such as `ATTN` and `DECY`.
        suv_type: `BW`, `LBM`, ...
        series_date, series_time: DICOM DA and TM.
        acquisition_dates, acquisition_times: (Z,) DICOM DA and TM of each slice.
        frame_reference_ms, frame_durations_ms: (Z,) in ms; NaN where absent.
        ge_scan_datetime, siemens_decay_datetime: the makers' private reference time, DICOM DT.
        philips_suv_factor, philips_activity_factor: the two private scale factors.
        weight_kg, height_m, sex, dose_bq, half_life_s: as stored, in the unit the standard prescribes.
        nuclide: whatever names the nuclide: code value, code meaning, radiopharmaceutical.
        injection_datetime, injection_time: DICOM DT and TM.
        names: (Z,) how a message names each slice; subject: how it names the series.
    """

    slopes: NDArray[np.float64]
    intercepts: NDArray[np.float64] | None = None
    units: str | None = None
    decay_correction: str | None = None
    corrected_image: tuple[str, ...] = ()
    suv_type: str | None = None
    series_date: str | None = None
    series_time: str | None = None
    acquisition_dates: tuple[str | None, ...] = ()
    acquisition_times: tuple[str | None, ...] = ()
    frame_reference_ms: NDArray[np.float64] | None = None
    frame_durations_ms: NDArray[np.float64] | None = None
    ge_scan_datetime: str | None = None
    siemens_decay_datetime: str | None = None
    philips_suv_factor: float | None = None
    philips_activity_factor: float | None = None
    weight_kg: float | None = None
    height_m: float | None = None
    sex: str | None = None
    dose_bq: float | None = None
    half_life_s: float | None = None
    nuclide: tuple[str, ...] = ()
    injection_datetime: str | None = None
    injection_time: str | None = None
    manufacturer: str | None = None
    names: tuple[str, ...] = ()
    subject: str = "PET series"

    def __post_init__(self) -> None:
        count = len(self.slopes)
        object.__setattr__(self, "slopes", freeze(np.array(self.slopes, np.float64)))
        for name, default in (("intercepts", 0.0), ("frame_reference_ms", np.nan), ("frame_durations_ms", np.nan)):
            stated = getattr(self, name)
            values = np.full(count, default) if stated is None else np.array(stated, np.float64)
            object.__setattr__(self, name, freeze(values))
        for name in ("acquisition_dates", "acquisition_times", "names"):
            object.__setattr__(self, name, tuple(getattr(self, name)) or (None,) * count)

    @property
    def is_ge(self) -> bool:
        """True for General Electric scanners, whose Frame Reference Time counts to the start of a frame."""
        return (self.manufacturer or "").strip().upper().startswith(("GE ", "GEMS", "GENERAL ELECTRIC")) or (
            (self.manufacturer or "").strip().upper() == "GE"
        )

    def slice_name(self, index: int) -> str:
        """How a message names the slice at `index`."""
        name = self.names[index]
        return f"{self.subject}, file {name}" if name else f"{self.subject}, slice {index + 1}"


@dataclass(frozen=True)
class Reinterpretation:
    """A header's value that was not taken as it stands.

    Args:
        code: `PP-SUV-...`. tag: (gggg,eeee). found: the stored value. used: the value taken instead. why: the reason.
        by_user: True where the manifest supplied the value; such a note is no guess and `strict` lets it pass.
    """

    code: str
    tag: str
    found: str
    used: str
    why: str
    by_user: bool = False

    def __str__(self) -> str:
        return f"{self.tag} {self.found} taken as {self.used}: {self.why}"

    def to_json(self) -> Mapping[str, str | bool]:
        """The note as a sidecar holds it."""
        return {
            "code": self.code,
            "tag": self.tag,
            "found": self.found,
            "used": self.used,
            "why": self.why,
            "by_user": self.by_user,
        }


@dataclass(frozen=True, eq=False)
class SuvScaling:
    """How stored integers become SUVbw: `suv[slice] = factors[slice] * stored[slice]`.

    Args:
        factors: (Z,) float64, g/mL per stored unit; the slice's own slope is in it.
        weight_kg, height_m, sex, dose_bq, half_life_s: the values after correction; None where unknown and unneeded.
        reference_time: when the image is decay-corrected to. injection_time: when the dose was given.
        uptake_s: from injection to the start of the acquisition, where both are known.
        notes: every reinterpretation. warnings: what looks unusual but was taken as it stands.
    """

    factors: NDArray[np.float64]
    weight_kg: float | None = None
    height_m: float | None = None
    sex: str | None = None
    dose_bq: float | None = None
    half_life_s: float | None = None
    reference_time: datetime | None = None
    injection_time: datetime | None = None
    uptake_s: float | None = None
    notes: tuple[Reinterpretation, ...] = ()
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "factors", freeze(np.array(self.factors, np.float64)))


@dataclass
class Record:
    """What a conversion has found so far: reinterpretations and warnings, in order."""

    notes: list[Reinterpretation] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def note(self, code: str, attribute: Attribute, *, found: object, used: object, why: str) -> None:
        """Keep one reinterpretation."""
        self.notes.append(Reinterpretation(code, attribute.code, str(found), str(used), why))


def suv_error(subject: str, code: str, attribute: Attribute, problem: str, remedy: str) -> SuvError:
    """Return an error about `attribute`: `problem` goes on from its name, as in `is 0.0 kg, expected more than 0`."""
    return SuvError(f"PP-SUV-{code}", subject, f"{attribute} {problem}", remedy)
