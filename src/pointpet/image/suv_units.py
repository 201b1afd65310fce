"""Weight, height, sex, dose and half-life made sound, and the body measures that other SUV types divide by.

Sources: DICOM PS3.3 C.8.9.1.1.3 and C.8.9.1.1.4 (Units, SUV Type), which cites Sugawara 1999 for lean and ideal body
weight, Janmahasatian 2005 and Du Bois 1916; half-lives from NuDat 3; nuclide codes from DICOM CID 4020.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from pointpet.image.suv_header import DOSE, HALF_LIFE, HEIGHT, NUCLIDE, SEX, WEIGHT, PetHeader, Record, suv_error

GRAMS_FROM_KG = 1000.0
"""A Patient's Weight at or over this is in grams: nobody weighs a ton."""
USUAL_WEIGHT_KG = (20.0, 300.0)
MBQ_BELOW = 1e4
"""A dose below this is in MBq: 10 kBq would give no image."""
USUAL_DOSE_BQ = (50e6, 1000e6)
HALF_LIFE_TOLERANCE = 0.02
"""Makers round half-lives: 6588 s and 110 min for F-18 (6586.2 s), 1223 s for C-11 (1221.8 s)."""
HEIGHT_RANGE_M = (0.3, 2.6)
"""Newborn to the tallest man on record; centimetres lie far outside."""


@dataclass(frozen=True)
class Nuclide:
    """A positron emitter: mass number, symbol, element, half-life in s, DICOM codes (SRT and SCT), other names."""

    mass: int
    symbol: str
    element: str
    half_life_s: float
    codes: tuple[str, ...]
    aliases: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """As in `F-18`."""
        return f"{self.symbol}-{self.mass}"

    def is_named_by(self, text: str) -> bool:
        """True where a code value or free text means this nuclide."""
        if text.strip().upper() in self.codes:
            return True
        words = rf"(?:{self.symbol}|{self.element})"
        spelling = rf"(?<!\d){self.mass}m?\W*{words}(?![a-z])|(?<![a-z]){words}\W*{self.mass}(?!\d)"
        names = "|".join((spelling, *self.aliases))
        return re.search(names, text, re.IGNORECASE) is not None

    def fits(self, half_life_s: float) -> bool:
        """True where `half_life_s` is this nuclide's, rounded as makers do."""
        return abs(half_life_s / self.half_life_s - 1.0) <= HALF_LIFE_TOLERANCE


NUCLIDES = (
    Nuclide(18, "F", "fluorine", 6586.2, ("C-111A1", "77004003"), ("FDG", "fluoro", "FLT", "FET", "FMISO")),
    Nuclide(11, "C", "carbon", 1221.8, ("C-105A1", "40565003")),
    Nuclide(13, "N", "nitrogen", 597.9, ("C-107A1", "21576001")),
    Nuclide(15, "O", "oxygen", 122.24, ("C-B1038", "129504001")),
    Nuclide(66, "Ga", "gallium", 34164.0, ("C-131A1", "79477007")),
    Nuclide(68, "Ga", "gallium", 4062.6, ("C-131A3", "35337001")),
    Nuclide(68, "Ge", "germanium", 23408352.0, ("C-128A2", "53315004")),
    Nuclide(82, "Rb", "rubidium", 75.45, ("C-159A2", "79197006")),
    Nuclide(62, "Cu", "copper", 580.2, ("C-127A5", "422934004")),
    Nuclide(64, "Cu", "copper", 45723.6, ("C-127A2", "3932008")),
    Nuclide(89, "Zr", "zirconium", 282276.0, ("C-168A4", "63360001")),
    Nuclide(124, "I", "iodine", 360806.4, ("C-114A5", "40937006")),
    Nuclide(22, "Na", "sodium", 82086048.0, ("C-155A1", "71633006")),
)


def weight_kg(header: PetHeader, record: Record) -> float:
    """Return the weight in kg; at or over 1000 it was stored in grams.

    Raises:
        SuvError: absent or not positive.
    """
    stored = header.weight_kg
    if stored is None or not stored > 0 or not math.isfinite(stored):
        found = "is absent" if stored is None else f"is {stored:g} kg, expected more than 0"
        raise suv_error(header.subject, "WEIGHT", WEIGHT, found, "Correct the header, or set weight_kg in the manifest")
    weight = stored
    if stored >= GRAMS_FROM_KG:
        weight = stored / 1000.0
        record.note("PP-SUV-GRAMS", WEIGHT, found=f"{stored:g}", used=f"{weight:g} kg", why="it is in grams")
    low, high = USUAL_WEIGHT_KG
    if not low <= weight <= high:
        record.warnings.append(f"{WEIGHT} is {weight:g} kg, usual are {low:g} to {high:g} kg")
    return weight


def dose_bq(header: PetHeader, record: Record) -> float:
    """Return the injected dose in Bq; under 10^4 it was stored in MBq.

    Raises:
        SuvError: absent or not positive.
    """
    stored = header.dose_bq
    if stored is None or not stored > 0 or not math.isfinite(stored):
        found = "is absent" if stored is None else f"is {stored:g} Bq, expected more than 0"
        raise suv_error(header.subject, "DOSE", DOSE, found, "Correct the header, or set dose_bq in the manifest")
    dose = stored
    if stored < MBQ_BELOW:
        dose = stored * 1e6
        record.note("PP-SUV-MBQ", DOSE, found=f"{stored:g}", used=f"{dose:g} Bq", why="it is in MBq")
    low, high = USUAL_DOSE_BQ
    if not low <= dose <= high:
        record.warnings.append(f"{DOSE} is {dose / 1e6:g} MBq, usual are {low / 1e6:g} to {high / 1e6:g} MBq")
    return dose


def half_life_s(header: PetHeader, record: Record) -> float:
    """Return the half-life in s, checked against the nuclide that the header names.

    Raises:
        SuvError: absent, not positive, or not that of the nuclide (of any known one where none is named).
    """
    remedy = f"Correct the header; F-18 has {NUCLIDES[0].half_life_s} s"
    stored = header.half_life_s
    if stored is None or not stored > 0 or not math.isfinite(stored):
        found = "is absent" if stored is None else f"is {stored:g} s, expected more than 0"
        raise suv_error(header.subject, "HALF-LIFE", HALF_LIFE, found, remedy)
    named = [nuclide for nuclide in NUCLIDES if any(nuclide.is_named_by(text) for text in header.nuclide)]
    fitting = [nuclide for nuclide in named or NUCLIDES if nuclide.fits(stored)]
    if not fitting:
        wanted = " or ".join(f"{nuclide.half_life_s:g} s for {nuclide.name}" for nuclide in named)
        problem = f"is {stored:g} s, expected {wanted or 'that of a positron emitter'} as {NUCLIDE} states"
        raise suv_error(header.subject, "HALF-LIFE", HALF_LIFE, problem, remedy)
    if len(named) != 1:
        stated = " and ".join(nuclide.name for nuclide in named) or "no known nuclide"
        record.warnings.append(f"{NUCLIDE} names {stated}; the half-life {stored:g} s is that of {fitting[0].name}")
    return stored


def height_m(header: PetHeader) -> float:
    """Return the height in m.

    Raises:
        SuvError: absent, or outside what a human can measure.
    """
    stored = header.height_m
    low, high = HEIGHT_RANGE_M
    if stored is None or not low <= stored <= high:
        found = "is absent" if stored is None else f"is {stored:g} m, expected {low:g} to {high:g} m"
        raise suv_error(header.subject, "HEIGHT", HEIGHT, found, "Correct the header, or set height_m in the manifest")
    return stored


def sex(header: PetHeader) -> str:
    """Return `M`, `F` or `O`.

    Raises:
        SuvError: absent or another letter.
    """
    stored = (header.sex or "").strip().upper()
    if stored not in ("M", "F", "O"):
        found = f"is {stored!r}, expected M, F or O" if stored else "is absent"
        raise suv_error(header.subject, "SEX", SEX, found, "Correct the header, or set sex in the manifest")
    return stored


def body_surface_m2(weight: float, height: float) -> float:
    """Du Bois: 0.007184 W^0.425 H^0.725, W in kg and H in cm; `height` in m."""
    return 0.007184 * weight**0.425 * (100.0 * height) ** 0.725


REFERENCE_WEIGHT_TYPES = ("LBM", "LBMJAMES128", "LBMJANMA", "IBW")


def reference_weight_kg(suv_type: str, weight: float, height: float, sex_code: str) -> float:
    """Return the lean or ideal weight in kg that `suv_type` divides by; for sex `O` the mean of both formulas.

    Args:
        suv_type: one of `REFERENCE_WEIGHT_TYPES`: Morgan, James and Morgan, Janmahasatian, ideal.
        weight: kg. height: m. sex_code: `M`, `F` or `O`.
    """
    height_cm = 100.0 * height
    square = (weight / height_cm) ** 2
    mass_index = weight / height**2
    male, female = {
        "LBM": (1.10 * weight - 120.0 * square, 1.07 * weight - 148.0 * square),
        "LBMJAMES128": (1.10 * weight - 128.0 * square, 1.07 * weight - 148.0 * square),
        "LBMJANMA": (
            9270.0 * weight / (6680.0 + 216.0 * mass_index),
            9270.0 * weight / (8780.0 + 244.0 * mass_index),
        ),
        "IBW": (48.0 + 1.06 * (height_cm - 152.0), 45.5 + 0.91 * (height_cm - 152.0)),
    }[suv_type]
    return {"M": male, "F": female, "O": (male + female) / 2.0}[sex_code]
