"""From the files of one PET series to the plain facts that the SUV conversion needs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pydicom.dataset import Dataset

from pointpet.core import SuvError
from pointpet.image import suv_header as h
from pointpet.image.suv_header import Attribute, PetHeader
from pointpet.io.dicom_file import PARSE_ERRORS, DicomFile, quiet_pydicom

MANUFACTURER = Attribute("Manufacturer", (0x0008, 0x0070))
MODEL = Attribute("Manufacturer's Model Name", (0x0008, 0x1090))
CODE_VALUE = Attribute("Code Value", (0x0008, 0x0100))
CODE_MEANING = Attribute("Code Meaning", (0x0008, 0x0104))
RADIOPHARMACEUTICAL = Attribute("Radiopharmaceutical", (0x0018, 0x0031))
PATIENT_ID = Attribute("Patient ID", (0x0010, 0x0020))
IDENTIFYING = (
    PATIENT_ID,
    Attribute("Accession Number", (0x0008, 0x0050)),
    Attribute("Patient's Name", (0x0010, 0x0010)),
    Attribute("Patient's Birth Date", (0x0010, 0x0030)),
    Attribute("Other Patient IDs", (0x0010, 0x1000)),
    Attribute("Other Patient Names", (0x0010, 0x1001)),
)
"""What a header knows a patient by: read so that a file's name that holds it is not repeated, and never written."""
STUDY_UID = Attribute("Study Instance UID", (0x0020, 0x000D))

SERIES_FACTS = (
    h.UNITS,
    h.DECAY_CORRECTION,
    h.CORRECTED_IMAGE,
    h.SUV_TYPE,
    h.SERIES_DATE,
    h.SERIES_TIME,
    h.WEIGHT,
    h.HEIGHT,
    h.SEX,
    MANUFACTURER,
    MODEL,
    PATIENT_ID,
    STUDY_UID,
    h.INJECTIONS,
)
SLICE_FACTS = (
    h.SLOPE,
    h.INTERCEPT,
    h.ACQUISITION_DATE,
    h.ACQUISITION_TIME,
    h.ACQUISITION_DATETIME,
    h.FRAME_REFERENCE_TIME,
    h.FRAME_DURATION,
)
PRIVATE = (
    (h.GE_SCAN_DATETIME, "GEMS_PETD_01", ("GE",)),
    (h.SIEMENS_DECAY_DATETIME, "SIEMENS MED PT", ("SIEMENS", "CPS", "CTI")),
    (h.PHILIPS_SUV_FACTOR, "Philips PET Private Group", ("PHILIPS",)),
    (h.PHILIPS_ACTIVITY_FACTOR, "Philips PET Private Group", ("PHILIPS",)),
)
"""Private attribute, its creator, and the makers it is believed of where a creator was stripped."""
PRIVATE_BLOCKS = range(0x10, 0x20)
"""Where a private creator may have reserved its block; scanners use the first ones."""

SIGNATURE_TAGS = frozenset(
    [attribute.number for attribute in SERIES_FACTS]
    + [attribute.tag[0] << 16 | block for attribute, *_ in PRIVATE for block in PRIVATE_BLOCKS]
    + [
        attribute.tag[0] << 16 | block << 8 | attribute.tag[1] & 0xFF
        for attribute, *_ in PRIVATE
        for block in PRIVATE_BLOCKS
    ]
)
"""What is one for a whole series."""
HEADER_TAGS = SIGNATURE_TAGS | {attribute.number for attribute in SLICE_FACTS}
"""What must be kept of a file for `pet_header`."""

VARYING_IS_TWO_PATIENTS = {PATIENT_ID.code, STUDY_UID.code}


def pet_header(files: Sequence[DicomFile], subject: str) -> PetHeader:
    """Gather the facts of one series, its files in slice order.

    Raises:
        SuvError: a fact differs between slices, there are two injections, or a value is malformed.
    """
    facts = _common_facts(files, subject)
    return PetHeader(
        slopes=_per_slice(files, h.SLOPE, math.nan),  # type: ignore[arg-type]
        intercepts=_per_slice(files, h.INTERCEPT, 0.0),  # type: ignore[arg-type]
        acquisition_dates=tuple(_acquisition(file, h.ACQUISITION_DATE, slice(0, 8)) for file in files),
        acquisition_times=tuple(_acquisition(file, h.ACQUISITION_TIME, slice(8, None)) for file in files),
        frame_reference_ms=_per_slice(files, h.FRAME_REFERENCE_TIME, math.nan),  # type: ignore[arg-type]
        frame_durations_ms=_per_slice(files, h.FRAME_DURATION, math.nan),  # type: ignore[arg-type]
        names=tuple(file.name for file in files),
        subject=subject,
        **facts,
    )


def _per_slice(files: Sequence[DicomFile], attribute: Attribute, absent: float) -> list[float]:
    values = (file.number(attribute) for file in files)
    return [absent if value is None else value for value in values]


def _acquisition(file: DicomFile, attribute: Attribute, part: slice) -> str | None:
    """Acquisition Date or Time, else the part of Acquisition DateTime that says the same."""
    stated = file.text(attribute)
    if stated:
        return stated
    both = file.text(h.ACQUISITION_DATETIME)
    return both[part] or None if both else None


def _common_facts(files: Sequence[DicomFile], subject: str) -> dict[str, Any]:
    """The facts that hold for the whole series; parsed once for each distinct header."""
    known: dict[tuple[object, ...], dict[str, tuple[Attribute, Any]]] = {}
    first: dict[str, tuple[Attribute, Any]] = {}
    for file in files:
        key = _signature(file)
        if key in known:
            continue
        known[key] = facts = _file_facts(file, subject)
        first = first or facts
        for name, (attribute, value) in facts.items():
            if value != first[name][1]:
                _refuse_varying(subject, attribute, (files[0], first[name][1]), (file, value))
    return {name: value for name, (_, value) in first.items() if not name.startswith("_")}


def _signature(file: DicomFile) -> tuple[object, ...]:
    """What tells two headers apart, without parsing them."""
    return tuple((tag, _unparsed(value)) for tag, value in file.raw_values() if tag in SIGNATURE_TAGS)


def _unparsed(value: object) -> object:
    if isinstance(value, Sequence) and not isinstance(value, bytes | str):
        return tuple(_unparsed(item) for item in value)
    if isinstance(value, Dataset):
        return tuple((int(tag), _unparsed(element.value)) for tag, element in value.items())
    return value if isinstance(value, bytes) else str(value)


def _refuse_varying(
    subject: str, attribute: Attribute, one: tuple[DicomFile, object], other: tuple[DicomFile, object]
) -> None:
    if attribute.code in VARYING_IS_TWO_PATIENTS:
        raise SuvError(
            "PP-SUV-PATIENTS",
            subject,
            f"{attribute} differs between file {one[0].name} and file {other[0].name}: the slices are of two patients "
            "or studies",
            "Give one study a folder",
        )
    raise SuvError(
        "PP-SUV-VARIES",
        subject,
        f"{attribute} must be one value for the series, got {one[1]} in file {one[0].name} and {other[1]} in file "
        f"{other[0].name}",
        "Correct the header",
    )


def _file_facts(file: DicomFile, subject: str) -> dict[str, tuple[Attribute, Any]]:
    """Name in `PetHeader` to attribute and value; names with an underscore are compared only."""
    manufacturer = file.text(MANUFACTURER)
    facts: dict[str, tuple[Attribute, Any]] = {
        "units": (h.UNITS, file.text(h.UNITS)),
        "decay_correction": (h.DECAY_CORRECTION, file.text(h.DECAY_CORRECTION)),
        "corrected_image": (h.CORRECTED_IMAGE, file.texts(h.CORRECTED_IMAGE)),
        "suv_type": (h.SUV_TYPE, file.text(h.SUV_TYPE)),
        "series_date": (h.SERIES_DATE, file.text(h.SERIES_DATE)),
        "series_time": (h.SERIES_TIME, file.text(h.SERIES_TIME)),
        "weight_kg": (h.WEIGHT, file.number(h.WEIGHT)),
        "height_m": (h.HEIGHT, file.number(h.HEIGHT)),
        "sex": (h.SEX, file.text(h.SEX)),
        "manufacturer": (MANUFACTURER, manufacturer),
        "_patient": (PATIENT_ID, file.text(PATIENT_ID)),
        "_study": (STUDY_UID, file.text(STUDY_UID)),
        "ge_scan_datetime": (h.GE_SCAN_DATETIME, _private_text(file, PRIVATE[0], manufacturer)),
        "siemens_decay_datetime": (h.SIEMENS_DECAY_DATETIME, _private_text(file, PRIVATE[1], manufacturer)),
        "philips_suv_factor": (h.PHILIPS_SUV_FACTOR, _private_number(file, PRIVATE[2], manufacturer)),
        "philips_activity_factor": (h.PHILIPS_ACTIVITY_FACTOR, _private_number(file, PRIVATE[3], manufacturer)),
    }
    return facts | _injection_facts(file, subject)


def _injection_facts(file: DicomFile, subject: str) -> dict[str, tuple[Attribute, Any]]:
    injection = _injection(file, subject)
    return {
        "dose_bq": (h.DOSE, injection.number(h.DOSE)),
        "half_life_s": (h.HALF_LIFE, injection.number(h.HALF_LIFE)),
        "injection_datetime": (h.INJECTION_DATETIME, injection.text(h.INJECTION_DATETIME)),
        "injection_time": (h.INJECTION_TIME, injection.text(h.INJECTION_TIME)),
        "nuclide": (h.NUCLIDE, _nuclide(injection)),
    }


def _injection(file: DicomFile, subject: str) -> DicomFile:
    """The one item of the Radiopharmaceutical Information Sequence, an empty one where it is absent."""
    items = _items(file, h.INJECTIONS)
    if len(items) > 1:
        raise SuvError(
            "PP-SUV-INJECTIONS",
            subject,
            f"{h.INJECTIONS} must have one item, got {len(items)}: an SUV of several injections is not defined",
            "Export a series of one injection",
        )
    return DicomFile(file.path, items[0] if items else Dataset())


def _items(file: DicomFile, attribute: Attribute) -> list[Dataset]:
    if file.raw(attribute) is None:
        return []
    try:
        with quiet_pydicom():
            items = list(file.dataset[attribute.number].value or [])
    except PARSE_ERRORS as error:
        raise _no_sequence(file, attribute) from error
    if not all(isinstance(item, Dataset) for item in items):
        raise _no_sequence(file, attribute)
    return items


def _no_sequence(file: DicomFile, attribute: Attribute) -> SuvError:
    return SuvError(
        "PP-SUV-SEQUENCE",
        f"file {file.name}",
        f"{attribute} cannot be parsed as a sequence",
        "Export the series again from the scanner",
    )


def _nuclide(injection: DicomFile) -> tuple[str, ...]:
    codes = [DicomFile(injection.path, item) for item in _items(injection, h.NUCLIDE)]
    stated = [code.text(attribute) for code in codes for attribute in (CODE_VALUE, CODE_MEANING)]
    return tuple(text for text in (*stated, injection.text(RADIOPHARMACEUTICAL)) if text)


def _private_text(
    file: DicomFile, entry: tuple[Attribute, str, tuple[str, ...]], manufacturer: str | None
) -> str | None:
    attribute, creator, makers = entry
    group, element = attribute.tag[0], attribute.tag[1] & 0xFF
    for block in PRIVATE_BLOCKS:
        place = Attribute(attribute.name, (group, block << 8 | element))
        owner = file.text(Attribute("Private Creator", (group, block)))
        is_stripped = owner is None and (manufacturer or "").upper().startswith(makers)
        if (owner or "").upper() == creator.upper() or is_stripped:
            stated = file.text(place)
            if stated:
                return stated
    return None


def _private_number(
    file: DicomFile, entry: tuple[Attribute, str, tuple[str, ...]], manufacturer: str | None
) -> float | None:
    text = _private_text(file, entry, manufacturer)
    try:
        return None if text is None else float(text)
    except ValueError as error:
        raise SuvError(
            "PP-SUV-NUMBER",
            f"file {file.name}",
            f"{entry[0]} must be a number, got {text!r}",
            "Export the series again from the scanner",
        ) from error
