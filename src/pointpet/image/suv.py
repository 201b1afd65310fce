"""From the facts of a PET header to one factor per slice that turns stored integers into SUVbw (g/mL).

Sources: DICOM PS3.3 C.8.9; the manual on SUV computation of the IBSI group; QIBA's vendor-neutral rules; Philips'
conformance statements for the two private factors.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from pointpet.core import SuvError
from pointpet.image import suv_time, suv_units
from pointpet.image.suv_header import (
    CORRECTED_IMAGE,
    DECAY_CORRECTION,
    DOSE,
    FRAME_DURATION,
    HALF_LIFE,
    HEIGHT,
    INJECTION_DATETIME,
    INTERCEPT,
    PHILIPS_ACTIVITY_FACTOR,
    PHILIPS_SUV_FACTOR,
    SEX,
    SLOPE,
    SUV_TYPE,
    UNITS,
    WEIGHT,
    Attribute,
    PetHeader,
    Record,
    Reinterpretation,
    SuvScaling,
    suv_error,
)

SUPPORTED_UNITS = ("BQML", "GML", "CM2ML", "CNTS")
DECAY_CORRECTIONS = ("START", "ADMIN", "NONE")
FACTOR_AGREEMENT = 0.01
"""The two Philips factors state one thing twice; farther apart, one of them is wrong."""

OVERRIDES: Mapping[str, Attribute] = {
    "weight_kg": WEIGHT,
    "height_m": HEIGHT,
    "sex": SEX,
    "dose_bq": DOSE,
    "half_life_s": HALF_LIFE,
    "injection_time": INJECTION_DATETIME,
}
"""What the manifest may supply, by the manifest's column."""


def suv_scaling(
    header: PetHeader, *, strict: bool = False, overrides: Mapping[str, str | float] | None = None
) -> SuvScaling:
    """Return the factor of each slice, and every value that was not taken as it stands.

    Args:
        header: the series.
        strict: refuse every reinterpretation (grams, MBq, midnight, rebuilt date, the other Philips factor).
        overrides: column of the manifest to value: `weight_kg`, `height_m`, `sex`, `dose_bq`, `half_life_s`,
            `injection_time` (a time of day, or a date and time). They replace what the header states.

    Raises:
        SuvError: the header lacks or contradicts what the conversion needs, or `strict` and something would be
            reinterpreted.

    Check: BQML, ADMIN, slope 1, 70 kg, 350 MBq: 70000 / 350e6 = 2.0e-4 g/mL a unit.
    """
    supplied, notes = _apply(header, overrides or {})
    conversion = _Conversion(supplied, Record(notes=notes))
    _check_rescale(supplied)
    decay = _check_corrections(supplied, conversion.record)
    factor = conversion.factor(decay)
    scaling = SuvScaling(
        factors=supplied.slopes * factor,
        weight_kg=conversion.optional_weight(),
        height_m=supplied.height_m,
        sex=supplied.sex,
        dose_bq=conversion.optional_dose(),
        half_life_s=supplied.half_life_s,
        reference_time=conversion.reference,
        injection_time=conversion.injection,
        uptake_s=conversion.uptake_s(),
        notes=tuple(conversion.record.notes),
        warnings=tuple(conversion.record.warnings),
    )
    if strict:
        refuse_guesses(header.subject, scaling.notes)
    return scaling


def _apply(header: PetHeader, overrides: Mapping[str, str | float]) -> tuple[PetHeader, list[Reinterpretation]]:
    """Return `header` with the manifest's values in place, and a note for each."""
    changes: dict[str, object] = {}
    notes = []
    for name, value in overrides.items():
        if name not in OVERRIDES:
            raise SuvError(
                "PP-SUV-OVERRIDE",
                name,
                f"is no value the manifest can supply; those are {', '.join(OVERRIDES)}",
                "Rename or remove it",
            )
        attribute = OVERRIDES[name]
        found = _stated(header, name)
        notes.append(
            Reinterpretation(
                "PP-SUV-MANIFEST",
                attribute.code,
                "absent" if found is None else str(found),
                str(value),
                f"{name} stands in the manifest",
                by_user=True,
            )
        )
        if name == "injection_time":
            text = str(value).strip()
            has_date = len(text) > len("HH:MM:SS.ffffff")
            changes |= {"injection_datetime": text if has_date else None, "injection_time": text}
        elif name == "sex":
            changes[name] = str(value)
        else:
            changes[name] = _number(header, name, value)
    return replace(header, **changes), notes  # type: ignore[arg-type]


def _stated(header: PetHeader, name: str) -> object:
    if name == "injection_time":
        return header.injection_datetime or header.injection_time
    return getattr(header, name)


def _number(header: PetHeader, name: str, value: str | float) -> float:
    try:
        return float(value)
    except ValueError as error:
        raise SuvError(
            "PP-SUV-OVERRIDE", header.subject, f"{name} must be a number, got {value!r}", "Correct the manifest"
        ) from error


def _check_rescale(header: PetHeader) -> None:
    slopes = header.slopes
    bad = np.flatnonzero(~(np.isfinite(slopes) & (slopes > 0)))
    if bad.size:
        slope = slopes[bad[0]]
        found = "is absent or not finite" if not math.isfinite(slope) else f"is {slope:g}, expected more than 0"
        raise suv_error(
            header.slice_name(int(bad[0])), "SLOPE", SLOPE, found, "Export the series again from the scanner"
        )
    intercepts = np.asarray(header.intercepts)
    shifted = np.flatnonzero(intercepts != 0)
    if shifted.size:
        raise suv_error(
            header.slice_name(int(shifted[0])),
            "INTERCEPT",
            INTERCEPT,
            f"is {intercepts[shifted[0]]:g}, expected 0 as in every PET image",
            "Export the series again from the scanner",
        )


def _check_corrections(header: PetHeader, record: Record) -> str | None:
    """Return Decay Correction, checked; None where it is absent and the voxels are normalised already."""
    applied = {name.strip().upper() for name in header.corrected_image}
    if "ATTN" not in applied:
        raise suv_error(
            header.subject,
            "ATTENUATION",
            CORRECTED_IMAGE,
            f"lacks ATTN, got {_listing(applied)}; an image without attenuation correction has no SUV",
            "Give the attenuation-corrected series",
        )
    decay = (header.decay_correction or "").strip().upper()
    if not decay and (header.units or "").strip().upper() in ("GML", "CM2ML"):
        record.warnings.append(f"{DECAY_CORRECTION} is absent; the voxels are normalised already")
        return None
    if decay not in DECAY_CORRECTIONS:
        found = f"is {decay!r}" if decay else "is absent"
        raise suv_error(
            header.subject,
            "DECAY",
            DECAY_CORRECTION,
            f"{found}, expected {', '.join(DECAY_CORRECTIONS)}",
            "Export the series again from the scanner",
        )
    if decay != "NONE" and "DECY" not in applied:
        raise suv_error(
            header.subject,
            "DECY",
            CORRECTED_IMAGE,
            f"lacks DECY, got {_listing(applied)}, though {DECAY_CORRECTION} is {decay}",
            "Export the series again from the scanner",
        )
    if decay == "NONE" and "DECY" in applied:
        record.note(
            "PP-SUV-DECY",
            CORRECTED_IMAGE,
            found="DECY",
            used="not decay-corrected",
            why=f"{DECAY_CORRECTION} is NONE",
        )
    return decay


def _listing(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"


def refuse_guesses(subject: str, notes: Iterable[Reinterpretation]) -> None:
    """Stop where a header's value was not taken as it stood, what the manifest supplied aside.

    Raises:
        SuvError: each such value, with its code and tag.
    """
    guesses = [note for note in notes if not note.by_user]
    if guesses:
        raise SuvError(
            "PP-SUV-STRICT",
            subject,
            "strict refuses what would be reinterpreted: " + "; ".join(f"[{note.code}] {note}" for note in guesses),
            "Correct the header, or go on without --strict",
        )


@dataclass
class _Conversion:
    """One conversion under way: the header, what is found so far, and the times that were needed."""

    header: PetHeader
    record: Record
    reference: datetime | None = None
    injection: datetime | None = None
    _weight: float | None = field(default=None)
    _dose: float | None = field(default=None)

    def factor(self, decay: str | None) -> NDArray[np.float64] | float:
        """SUVbw per rescaled unit: one number, or (Z,)."""
        units = (self.header.units or "").strip().upper()
        if units == "BQML":
            return self._from_activity(decay)
        if units == "GML":
            return self._from_weight_suv()
        if units == "CM2ML":
            return self._from_surface_suv()
        if units == "CNTS":
            return self._from_counts(decay)
        found = f"is {units}" if units else "is absent"
        raise suv_error(
            self.header.subject,
            "UNITS",
            UNITS,
            f"{found}, supported are {', '.join(SUPPORTED_UNITS)}",
            "Export the series in BQML or GML",
        )

    def weight(self) -> float:
        """Weight in kg, checked once."""
        if self._weight is None:
            self._weight = suv_units.weight_kg(self.header, self.record)
        return self._weight

    def dose(self) -> float:
        """Injected dose in Bq, checked once."""
        if self._dose is None:
            self._dose = suv_units.dose_bq(self.header, self.record)
        return self._dose

    def optional_weight(self) -> float | None:
        """The checked weight, or the header's where the conversion did not need it."""
        return self._weight if self._weight is not None else self.header.weight_kg

    def optional_dose(self) -> float | None:
        """The checked dose, or the header's where the conversion did not need it."""
        return self._dose if self._dose is not None else self.header.dose_bq

    def uptake_s(self) -> float | None:
        """Seconds from injection to the start of the acquisition; None where the header does not tell."""
        try:
            start = suv_time.acquisition_starts(self.header).min().astype(datetime)
            half_life = suv_units.half_life_s(self.header, Record())
            injection = self.injection or suv_time.injection_time(self.header, start, half_life, Record())
        except SuvError:
            return None
        return (start - injection).total_seconds()

    def _from_activity(self, decay: str | None) -> NDArray[np.float64] | float:
        weight_g = 1000.0 * self.weight()
        dose = self.dose()
        if decay == "ADMIN":
            return weight_g / dose
        half_life = suv_units.half_life_s(self.header, self.record)
        rate = math.log(2.0) / half_life
        if decay == "START":
            self.reference = suv_time.reference_time(self.header, half_life, self.record)
            self.injection = suv_time.injection_time(self.header, self.reference, half_life, self.record)
            elapsed_s = (self.reference - self.injection).total_seconds()
            return weight_g / (dose * math.exp(-rate * elapsed_s))
        return weight_g / dose * self._undecayed(half_life, rate)

    def _undecayed(self, half_life: float, rate: float) -> NDArray[np.float64]:
        """(Z,) from the mean activity over a frame to the activity at injection."""
        durations_s = np.asarray(self.header.frame_durations_ms) / 1000.0
        bad = np.flatnonzero(~(np.isfinite(durations_s) & (durations_s > 0)))
        if bad.size:
            raise suv_error(
                self.header.slice_name(int(bad[0])),
                "DURATION",
                FRAME_DURATION,
                f"is absent or not positive, {DECAY_CORRECTION} NONE needs it",
                "Correct the header",
            )
        starts = suv_time.acquisition_starts(self.header)
        first = starts.min().astype(datetime)
        self.injection = suv_time.injection_time(self.header, first, half_life, self.record)
        elapsed_s = (starts - np.datetime64(self.injection, "us")) / np.timedelta64(1, "s")
        return rate * durations_s / -np.expm1(-rate * durations_s) * np.exp(rate * elapsed_s)

    def _from_weight_suv(self) -> float:
        suv_type = (self.header.suv_type or "BW").strip().upper()
        if suv_type == "BW":
            return 1.0
        if suv_type not in suv_units.REFERENCE_WEIGHT_TYPES:
            raise suv_error(
                self.header.subject,
                "SUV-TYPE",
                SUV_TYPE,
                f"is {suv_type} with Units GML, expected BW, {', '.join(suv_units.REFERENCE_WEIGHT_TYPES)}",
                "Export the series with body-weight SUV",
            )
        height, sex = suv_units.height_m(self.header), suv_units.sex(self.header)
        weight = self.weight()
        divisor = suv_units.reference_weight_kg(suv_type, weight, height, sex)
        if divisor <= 0:
            raise suv_error(
                self.header.subject,
                "SUV-TYPE",
                SUV_TYPE,
                f"{suv_type} is {divisor:.3g} kg for {weight:g} kg and {height:g} m, expected more than 0",
                "Correct weight and height in the header, or set them in the manifest",
            )
        return weight / divisor

    def _from_surface_suv(self) -> float:
        suv_type = (self.header.suv_type or "BSA").strip().upper()
        if suv_type != "BSA":
            raise suv_error(
                self.header.subject,
                "SUV-TYPE",
                SUV_TYPE,
                f"is {suv_type} with Units CM2ML, expected BSA",
                "Export the series with body-weight SUV",
            )
        height = suv_units.height_m(self.header)
        weight = self.weight()
        return 1e3 * weight / (1e4 * suv_units.body_surface_m2(weight, height))

    def _from_counts(self, decay: str | None) -> NDArray[np.float64] | float:
        direct = _usable(self.header.philips_suv_factor)
        activity = _usable(self.header.philips_activity_factor)
        if direct is None and activity is None:
            raise suv_error(
                self.header.subject,
                "COUNTS",
                PHILIPS_SUV_FACTOR,
                f"and {PHILIPS_ACTIVITY_FACTOR} are both absent or 0, {UNITS} CNTS needs one of them",
                "Export the series in BQML",
            )
        if direct is None:
            if self.header.philips_suv_factor is not None:
                self.record.note(
                    "PP-SUV-PHILIPS",
                    PHILIPS_SUV_FACTOR,
                    found=f"{self.header.philips_suv_factor:g}",
                    used=f"{PHILIPS_ACTIVITY_FACTOR} {activity:g}",
                    why="the first factor is 0",
                )
            return float(activity or 0.0) * self._from_activity(decay)
        if activity is not None:
            self._compare(direct, activity, decay)
        return direct

    def _compare(self, direct: float, activity: float, decay: str | None) -> None:
        """Stop where the two Philips factors disagree; warn where the header is too poor to tell."""
        try:
            by_activity = float(np.mean(activity * self._from_activity(decay)))
        except SuvError as error:
            self.record.warnings.append(f"{PHILIPS_SUV_FACTOR} could not be checked: {error.problem}")
            return
        if abs(by_activity / direct - 1.0) > FACTOR_AGREEMENT:
            raise suv_error(
                self.header.subject,
                "FACTORS",
                PHILIPS_SUV_FACTOR,
                f"gives {direct:.6g} g/mL a count, {PHILIPS_ACTIVITY_FACTOR} gives {by_activity:.6g}; they may differ "
                f"by {100 * FACTOR_AGREEMENT:g} %",
                "Correct weight, dose and times in the header, or export the series in BQML",
            )


def _usable(factor: float | None) -> float | None:
    return factor if factor is not None and math.isfinite(factor) and factor > 0 else None
