"""Dates and times of a PET: parsing, the reference time of the decay correction, the injection time.

Sources: DICOM PS3.5 6.2 (DA, TM, DT); PS3.3 C.8.9.1.1.4 (Decay Correction) and C.8.9.4.1.5 (Frame Reference Time); the
manual on SUV computation of the IBSI group; QIBA's vendor-neutral rules.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import numpy as np
from numpy.typing import NDArray

from pointpet.core import SuvError
from pointpet.image.suv_header import (
    ACQUISITION_DATE,
    ACQUISITION_TIME,
    FRAME_DURATION,
    FRAME_REFERENCE_TIME,
    GE_SCAN_DATETIME,
    INJECTION_DATETIME,
    INJECTION_TIME,
    SERIES_DATE,
    SERIES_TIME,
    SIEMENS_DECAY_DATETIME,
    Attribute,
    PetHeader,
    Record,
    suv_error,
)

SAME_TIME_S = 1.0
"""Two clock readings agree when they differ by less: some makers cut fractions of a second off one of them."""
SAME_REFERENCE_S = 10.0
"""Slices of one series must agree on their reference time to this: whole-second rounding of two terms stays far below,
and 10 s of F-18 is 0.1 % of the SUV."""
PRIVATE_REACH_S = 43200.0
"""A private reference time farther from the acquisition belongs to another date system: public dates were shifted."""
EARLIEST_UPTAKE_S = -3600.0
LATEST_UPTAKE_HALF_LIVES = 2.0
REBUILD_BELOW_HALF_LIFE_S = 41400.0
"""Above 11.5 h a day more or less is no contradiction, so that no date can be rebuilt."""
DAY = timedelta(days=1)

_DATE = re.compile(r"(\d{4})[-.]?(\d{2})[-.]?(\d{2})")
_TIME = re.compile(r"(\d{2})(?::?(\d{2})(?::?(\d{2})(?:\.(\d{1,6})\d*)?)?)?")
_DATETIME = re.compile(r"(\d{4}-?\d{2}-?\d{2})(?:[T ]?(\d{2}[\d:.]*))?(?:[+-]\d{2}:?\d{2}|Z)?")


@dataclass(frozen=True)
class Clock:
    """Parses one series' dates and times; a malformed one is an error about `subject`."""

    subject: str

    def date(self, text: str, attribute: Attribute) -> date:
        """Parse a DICOM DA."""
        match = _DATE.fullmatch(text.strip())
        try:
            return date(*map(int, match.groups())) if match else self._refuse(text, attribute, "a date YYYYMMDD")
        except ValueError:
            return self._refuse(text, attribute, "a date YYYYMMDD")

    def time(self, text: str, attribute: Attribute) -> time:
        """Parse a DICOM TM, or hours, minutes and seconds set apart by colons."""
        match = _TIME.fullmatch(text.strip())
        if not match:
            return self._refuse(text, attribute, "a time of day HHMMSS")
        hour, minute, second, fraction = match.groups(default="0")
        try:
            # 60 is a leap second in DICOM TM; the standard library knows none.
            return time(int(hour), int(minute), min(int(second), 59), int(fraction.ljust(6, "0")))
        except ValueError:
            return self._refuse(text, attribute, "a time of day HHMMSS")

    def date_time(self, text: str, attribute: Attribute) -> datetime:
        """Parse a DICOM DT with a time of day, or ISO 8601; an offset from UTC is left off (all clocks are local)."""
        match = _DATETIME.fullmatch(text.strip())
        if not match or match.group(2) is None:
            return self._refuse(text, attribute, "a date and time YYYYMMDDHHMMSS")
        return datetime.combine(self.date(match.group(1), attribute), self.time(match.group(2), attribute))

    def _refuse(self, text: str, attribute: Attribute, expected: str) -> ...:  # type: ignore[valid-type]
        raise suv_error(
            self.subject, "TIME", attribute, f"is {text.strip()!r}, expected {expected}", "Correct the header"
        )


def acquisition_starts(header: PetHeader) -> NDArray[np.datetime64]:
    """(Z,) start of each slice's acquisition, to the microsecond.

    Raises:
        SuvError: a slice's Acquisition Date or Acquisition Time is absent or malformed.
    """
    known: dict[tuple[str | None, str | None], np.datetime64] = {}
    starts = np.empty(len(header.slopes), "datetime64[us]")
    for index, key in enumerate(zip(header.acquisition_dates, header.acquisition_times, strict=True)):
        if key not in known:
            known[key] = np.datetime64(_slice_start(header, index), "us")
        starts[index] = known[key]
    return starts


def _slice_start(header: PetHeader, index: int) -> datetime:
    clock = Clock(header.slice_name(index))
    day, moment = header.acquisition_dates[index], header.acquisition_times[index]
    for attribute, value in ((ACQUISITION_DATE, day), (ACQUISITION_TIME, moment)):
        if not value:
            raise suv_error(
                clock.subject, "TIME-ABSENT", attribute, "is absent, decay correction needs it", "Correct the header"
            )
    return datetime.combine(clock.date(str(day), ACQUISITION_DATE), clock.time(str(moment), ACQUISITION_TIME))


def mean_count_time_s(duration_s: NDArray[np.float64], half_life_s: float) -> NDArray[np.float64]:
    """Time into a frame at which the decaying count rate equals its mean over the frame, in s.

    `1/λ ln(λT / (1 - e^(-λT)))`; a little under T/2.
    """
    decay = np.log(2.0) / half_life_s
    return np.log(decay * duration_s / -np.expm1(-decay * duration_s)) / decay


Step = Callable[[], datetime | str]
"""One step of the chain: the reference time, or why it does not hold."""


def reference_time(header: PetHeader, half_life_s: float, record: Record) -> datetime:
    """Return the time that a series with Decay Correction START is corrected to: the first step that holds.

    Raises:
        SuvError: no step holds; each is named with the reason.
    """
    starts = acquisition_starts(header)
    steps: tuple[tuple[str, Step], ...] = (
        (str(GE_SCAN_DATETIME), lambda: _private(header, header.ge_scan_datetime, GE_SCAN_DATETIME, starts)),
        (
            str(SIEMENS_DECAY_DATETIME),
            lambda: _private(header, header.siemens_decay_datetime, SIEMENS_DECAY_DATETIME, starts),
        ),
        (str(SERIES_TIME), lambda: _series_time(header, starts)),
        (
            f"Acquisition Time + average count rate time - {FRAME_REFERENCE_TIME}",
            lambda: _from_mean_count(header, half_life_s, starts),
        ),
        (f"GE: Acquisition Time - {FRAME_REFERENCE_TIME}", lambda: _from_frame_start(header, starts)),
    )
    reasons = []
    for name, step in steps:
        answer = step()
        if isinstance(answer, datetime):
            _warn_of_passed_over(reasons, record)
            return answer
        reasons.append((name, answer))
    listing = "; ".join(f"{name}: {reason}" for name, reason in reasons)
    raise SuvError(
        "PP-SUV-REFERENCE",
        header.subject,
        f"the time that the decay correction START refers to cannot be told ({listing})",
        "Restore the times of the header, or export the series again from the scanner",
    )


def _warn_of_passed_over(reasons: list[tuple[str, str]], record: Record) -> None:
    record.warnings.extend(f"{name} is not used: {reason}" for name, reason in reasons if "apart" in reason)


def _private(header: PetHeader, text: str | None, attribute: Attribute, starts: NDArray) -> datetime | str:
    if not text:
        return "absent"
    stated = Clock(header.subject).date_time(text, attribute)
    distance_s = _seconds(np.datetime64(stated, "us") - starts.min())
    if abs(distance_s) > PRIVATE_REACH_S:
        return f"more than {PRIVATE_REACH_S / 3600:.0f} h apart from the acquisition"
    return stated


def _series_start(header: PetHeader) -> datetime | None:
    if not header.series_date or not header.series_time:
        return None
    clock = Clock(header.subject)
    return datetime.combine(clock.date(header.series_date, SERIES_DATE), clock.time(header.series_time, SERIES_TIME))


def _series_time(header: PetHeader, starts: NDArray) -> datetime | str:
    """Series Time where it is the start of the earliest acquisition; on a part of a GE series, where Frame Reference
    Time leads back to it from every slice (GE counts it to the start of a frame)."""
    series = _series_start(header)
    if series is None:
        return f"{SERIES_DATE} or {SERIES_TIME} is absent"
    stamp = np.datetime64(series, "us")
    if abs(_seconds(starts.min() - stamp)) <= SAME_TIME_S:
        return series
    offsets_s = (starts - stamp) / np.timedelta64(1, "s")
    if header.is_ge and (np.abs(offsets_s - _reference_s(header)) <= SAME_TIME_S).all():
        return series
    return f"differs from the earliest Acquisition Time by {_seconds(stamp - starts.min()):.0f} s"


def _reference_s(header: PetHeader) -> NDArray[np.float64]:
    return np.asarray(header.frame_reference_ms) / 1000.0


def _from_mean_count(header: PetHeader, half_life_s: float, starts: NDArray) -> datetime | str:
    durations_s = np.asarray(header.frame_durations_ms) / 1000.0
    if not (np.isfinite(durations_s) & (durations_s > 0)).all():
        return f"{FRAME_DURATION} is absent or not positive"
    if not np.isfinite(_reference_s(header)).all():
        return f"{FRAME_REFERENCE_TIME} is absent"
    return _agreed(starts, mean_count_time_s(durations_s, half_life_s) - _reference_s(header))


def _from_frame_start(header: PetHeader, starts: NDArray) -> datetime | str:
    if not header.is_ge:
        return "the scanner is not by GE"
    if not np.isfinite(_reference_s(header)).all():
        return f"{FRAME_REFERENCE_TIME} is absent"
    return _agreed(starts, -_reference_s(header))


def _agreed(starts: NDArray, shift_s: NDArray[np.float64]) -> datetime | str:
    """The slices' common `starts + shift_s`, or why there is none."""
    candidates = starts + (shift_s * 1e6).round().astype("timedelta64[us]")
    spread_s = _seconds(candidates.max() - candidates.min())
    if spread_s > SAME_REFERENCE_S:
        return f"the slices' answers lie {spread_s:.0f} s from each other"
    return np.sort(candidates)[len(candidates) // 2].astype(datetime)


def _seconds(difference: np.timedelta64) -> float:
    return float(difference / np.timedelta64(1, "s"))


def injection_time(header: PetHeader, reference: datetime, half_life_s: float, record: Record) -> datetime:
    """Return when the dose was given: Start DateTime, else Start Time with the reference date.

    Accepted from one hour after `reference` back to two half-lives before it. Elsewhere the date is rebuilt from the
    reference's, one day earlier where the time of day is later, and checked again.

    Raises:
        SuvError: both attributes are absent, one is malformed, or no date makes the time plausible.
    """
    attribute, text, stated = _stated_injection(header, reference)
    if _plausible(stated, reference, half_life_s):
        if stated > reference:
            record.warnings.append(f"the injection lies {(stated - reference).total_seconds():.0f} s after the scan")
        return stated
    if half_life_s < REBUILD_BELOW_HALF_LIFE_S:
        rebuilt = datetime.combine(reference.date(), stated.time())
        crosses_midnight = rebuilt > reference
        rebuilt -= DAY * crosses_midnight
        if _plausible(rebuilt, reference, half_life_s):
            code, why = (
                ("PP-SUV-MIDNIGHT", "the injection was on the day before the scan")
                if crosses_midnight
                else ("PP-SUV-DATE", "its date does not fit the scan's; the time of day does")
            )
            record.note(code, attribute, found=text, used=rebuilt.isoformat(sep=" "), why=why)
            return rebuilt
    uptake_h = (reference - stated).total_seconds() / 3600.0
    raise suv_error(
        header.subject,
        "INJECTION",
        attribute,
        f"is {text}, which puts the scan {uptake_h:.2f} h after the injection, expected -1 h to "
        f"{LATEST_UPTAKE_HALF_LIVES * half_life_s / 3600.0:.2f} h",
        "Correct the header, or set injection_time in the manifest",
    )


def _plausible(injection: datetime, reference: datetime, half_life_s: float) -> bool:
    uptake_s = (reference - injection).total_seconds()
    return EARLIEST_UPTAKE_S <= uptake_s <= LATEST_UPTAKE_HALF_LIVES * half_life_s


def _stated_injection(header: PetHeader, reference: datetime) -> tuple[Attribute, str, datetime]:
    clock = Clock(header.subject)
    if header.injection_datetime:
        text = header.injection_datetime
        return INJECTION_DATETIME, text, clock.date_time(text, INJECTION_DATETIME)
    if header.injection_time:
        text = header.injection_time
        return INJECTION_TIME, text, datetime.combine(reference.date(), clock.time(text, INJECTION_TIME))
    raise suv_error(
        header.subject,
        "INJECTION-ABSENT",
        INJECTION_DATETIME,
        f"and {INJECTION_TIME} are both absent",
        "Correct the header, or set injection_time in the manifest",
    )
