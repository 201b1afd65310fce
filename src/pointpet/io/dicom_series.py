"""Which series lie in a set of files, and which one of them is the PET to read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset

from pointpet.core import ImageReadError, PointpetError
from pointpet.image.suv_header import CORRECTED_IMAGE, Attribute
from pointpet.io.dicom_file import PARSE_ERRORS, PREFIX_END, DicomFile, file_error, read_dicom_file
from pointpet.io.dicom_geometry import ORIENTATION, PIXEL_SPACING, POSITION
from pointpet.io.dicom_header import HEADER_TAGS, IDENTIFYING, PATIENT_ID
from pointpet.io.dicom_pixels import PIXEL_TAGS

SOP_CLASS = Attribute("SOP Class UID", (0x0008, 0x0016))
SOP_INSTANCE = Attribute("SOP Instance UID", (0x0008, 0x0018))
MODALITY = Attribute("Modality", (0x0008, 0x0060))
IMAGE_TYPE = Attribute("Image Type", (0x0008, 0x0008))
SERIES_TYPE = Attribute("Series Type", (0x0054, 0x1000))
SERIES_UID = Attribute("Series Instance UID", (0x0020, 0x000E))
SERIES_NUMBER = Attribute("Series Number", (0x0020, 0x0011))
SERIES_DESCRIPTION = Attribute("Series Description", (0x0008, 0x103E))
FRAME_OF_REFERENCE = Attribute("Frame of Reference UID", (0x0020, 0x0052))
INSTANCE_NUMBER = Attribute("Instance Number", (0x0020, 0x0013))
SLICE_COUNT = Attribute("Number of Slices", (0x0054, 0x0081))
STUDY_DATE = Attribute("Study Date", (0x0008, 0x0020))

PET_STORAGE = "1.2.840.10008.5.1.4.1.1.128"
ENHANCED = {
    "1.2.840.10008.5.1.4.1.1.130": "Enhanced PET Image Storage",
    "1.2.840.10008.5.1.4.1.1.128.1": "Legacy Converted Enhanced PET Image Storage",
}

READ_TAGS = (
    HEADER_TAGS
    | PIXEL_TAGS
    | {
        attribute.number
        for attribute in (
            SOP_CLASS,
            SOP_INSTANCE,
            MODALITY,
            IMAGE_TYPE,
            SERIES_TYPE,
            SERIES_UID,
            SERIES_NUMBER,
            SERIES_DESCRIPTION,
            FRAME_OF_REFERENCE,
            INSTANCE_NUMBER,
            SLICE_COUNT,
            STUDY_DATE,
            POSITION,
            ORIENTATION,
            PIXEL_SPACING,
            *IDENTIFYING,
        )
    }
)
"""All that reading a PET series looks at."""

NOT_IMAGES = frozenset({"license", "readme", "version", "lockfile", "thumbs.db", "desktop.ini"})
DICOM_ENDINGS = frozenset({"", ".dcm", ".dicom", ".ima", ".dic"})


@dataclass(frozen=True)
class LeftOut:
    """What was not read.

    Args:
        what: a file by its bare name, or a series by modality and number. reason: why.
        failed: True where it should have been read but is damaged; False where it is simply no PET to read.
        code: of the error, where there is one.
    """

    what: str
    reason: str
    failed: bool = False
    code: str = ""

    @classmethod
    def of(cls, fault: PointpetError, case_id: str | None = None) -> LeftOut:
        """What failed, with the remedy: a file by its own name, a case by its id and what is at fault in it."""
        reason = f"{fault.problem}. {fault.remedy}"
        if case_id is None:
            return cls(fault.subject, reason, failed=True, code=fault.code)
        return cls(f"case {case_id}", f"{fault.subject}: {reason}", failed=True, code=fault.code)

    def __str__(self) -> str:
        return f"{self.what} left out: {self.reason}"


@dataclass(frozen=True, eq=False)
class Series:
    """The files of one Series Instance UID, in the order found."""

    files: tuple[DicomFile, ...]

    @property
    def first(self) -> DicomFile:
        """The first file found."""
        return self.files[0]

    @property
    def title(self) -> str:
        """The series by modality and number, never by its description, which may name a patient."""
        return f"{self.modality} series {self.first.text(SERIES_NUMBER) or 'without a number'}"

    @property
    def subject(self) -> str:
        """How an error names the series: by title and its first file."""
        return f"{self.title} (file {self.first.name})"

    @property
    def modality(self) -> str:
        """Modality (0008,0060) in two letters."""
        return self.first.text(MODALITY) or "unknown"

    @property
    def is_pet(self) -> bool:
        """True for any kind of PET, usable or not."""
        return self.modality == "PT" or self.first.text(SOP_CLASS) in (PET_STORAGE, *ENHANCED)

    def fault(self) -> ImageReadError | None:
        """Why no SUV volume can come of this series as such; None where it is a static PET.

        Attenuation correction is left to the SUV conversion, see `is_corrected`.
        """
        sop_class = self.first.text(SOP_CLASS) or ""
        if sop_class in ENHANCED:
            return self._error(
                "ENHANCED",
                f"is {ENHANCED[sop_class]} {sop_class}, which is not supported",
                "Export it as PET Image Storage, one slice a file",
            )
        if sop_class != PET_STORAGE or self.modality != "PT":
            return self._error(
                "MODALITY",
                f"must be PET images, got {MODALITY} {self.modality} and {SOP_CLASS} {sop_class or 'absent'}",
                "Give the PET series",
            )
        series_type, image_type = self.first.texts(SERIES_TYPE), self.first.texts(IMAGE_TYPE)
        if "REPROJECTION" in series_type or any("MIP" in word or "PROJECTION" in word for word in image_type):
            return self._error(
                "PROJECTION",
                f"is a projection, not slices, by {SERIES_TYPE} {'/'.join(series_type)} and {IMAGE_TYPE} "
                f"{'/'.join(image_type)}",
                "Give the transverse slices",
            )
        if {"DYNAMIC", "GATED"} & set(series_type):
            return self._error(
                "DYNAMIC",
                f"is a dynamic or gated series by {SERIES_TYPE} {'/'.join(series_type)}",
                "Give one frame, or a static series",
            )
        return None

    def reason(self) -> str | None:
        """Why this series is left out where there is a choice; None where it is a corrected static PET."""
        fault = self.fault()
        if fault is not None:
            return fault.problem
        return None if self.is_corrected else "not attenuation-corrected"

    @property
    def is_corrected(self) -> bool:
        """True where the photons' attenuation was corrected."""
        return "ATTN" in self.first.texts(CORRECTED_IMAGE)

    def _error(self, code: str, problem: str, remedy: str) -> ImageReadError:
        return ImageReadError(f"PP-DICOM-{code}", self.subject, problem, remedy)


def group_series(files: Iterable[DicomFile]) -> list[Series]:
    """Sort files into series by Series Instance UID, in the order found.

    Raises:
        ImageReadError: a file lacks the identifiers of a series.
    """
    groups: dict[str, list[DicomFile]] = {}
    for file in files:
        groups.setdefault(series_uid_of(file), []).append(file)
    return [Series(tuple(group)) for group in groups.values()]


def series_uid_of(file: DicomFile) -> str:
    """Series Instance UID of a file that is an object of a series.

    Raises:
        ImageReadError: an identifier that every such object has is absent.
    """
    for attribute in (SOP_CLASS, SOP_INSTANCE, MODALITY, SERIES_UID):
        if not file.text(attribute):
            raise file_error(
                file.name,
                "TRUNCATED",
                f"{attribute} is absent: it ends early or is no DICOM object of a series",
                "Copy or export the file again",
            )
    return str(file.text(SERIES_UID))


def choose_pet(series: Sequence[Series], subject: str) -> tuple[Series, list[LeftOut]]:
    """Return the one attenuation-corrected PET of a folder, and the series left out.

    Raises:
        ImageReadError: none, or several.
    """
    usable = [one for one in series if one.fault() is None]
    corrected = [one for one in usable if one.is_corrected]
    if len(corrected) > 1:
        raise _several(corrected, subject)
    chosen = corrected or usable
    if len(chosen) != 1:
        raise _none(series, subject)
    return chosen[0], [LeftOut(one.title, one.reason() or "another series") for one in series if one is not chosen[0]]


def _several(series: Sequence[Series], subject: str) -> ImageReadError:
    if len({one.first.text(PATIENT_ID) for one in series}) > 1:
        return ImageReadError(
            "PP-DICOM-PATIENTS",
            subject,
            f"must hold one patient, got PET of several ({', '.join(one.subject for one in series)})",
            "Give each patient a folder",
        )
    return ImageReadError(
        "PP-DICOM-SERIES",
        subject,
        f"must hold one attenuation-corrected PET series, got {', '.join(one.subject for one in series)}",
        "Give each series a folder, or name the files' own folder",
    )


def _none(series: Sequence[Series], subject: str) -> ImageReadError:
    faults = [one.fault() for one in series if one.is_pet]
    first = next((fault for fault in faults if fault is not None), None)
    if first is not None:
        return first
    if len(series) == 1:
        only = series[0].fault()
        if only is not None:
            return only
    found = ", ".join(sorted({one.modality for one in series})) or "no DICOM file"
    return ImageReadError("PP-DICOM-NO-PET", subject, f"must hold a PET series, got {found}", "Give the PET's folder")


def dicom_candidates(root: Path, left_out: list[LeftOut], faults: list[ImageReadError] | None = None) -> Iterator[Path]:
    """Yield the files below `root` that should be DICOM, sorted; note each one passed over.

    Links to folders are not followed. A file counts by its name's ending or by its prefix.

    Args:
        root: the folder. left_out: receives what was passed over.
        faults: receives links that lead back to a folder above them, and a DICOMDIR that names files elsewhere.

    Raises:
        ImageReadError: the first such fault, where `faults` is absent.
    """
    for folder, subfolders, names in os.walk(root):
        subfolders.sort()
        for name in list(subfolders):
            if name.startswith("."):
                subfolders.remove(name)
            elif Path(folder, name).is_symlink():
                left_out.append(LeftOut("a linked folder", "links to folders are not followed"))
                _keep_or_raise(_loop(Path(folder, name)), faults)
        for name in sorted(names):
            path = Path(folder, name)
            if name.lower() == "dicomdir":
                left_out.append(LeftOut("DICOMDIR", "the files themselves are read"))
                _keep_or_raise(_escape(path), faults)
            elif name.startswith(".") or name.lower() in NOT_IMAGES:
                continue
            elif _looks_like_dicom(path):
                yield path
            else:
                left_out.append(LeftOut(f"file {name}", "no DICOM file"))


def _keep_or_raise(fault: ImageReadError | None, faults: list[ImageReadError] | None) -> None:
    if fault is not None and faults is None:
        raise fault
    if fault is not None and faults is not None:
        faults.append(fault)


def _loop(link: Path) -> ImageReadError | None:
    """The fault of a link that leads back to a folder it lies in."""
    folder = link.parent.resolve()
    if link.resolve() not in (folder, *folder.parents):
        return None
    return ImageReadError("PP-DICOM-LOOP", "the folder", "holds a link to a folder above it, a loop", "Remove the link")


def _escape(dicomdir: Path) -> ImageReadError | None:
    """The fault of a DICOMDIR that names a file outside its own folder, or that cannot be read."""
    try:
        records = read_dicom_file(dicomdir).dataset.get("DirectoryRecordSequence") or ()
        parts = [part for record in records for part in _file_id(record)]
    except ImageReadError as error:
        return error
    except PARSE_ERRORS:
        return file_error(dicomdir.name, "DAMAGED", "cannot be parsed as a DICOMDIR", "Remove it")
    if any(part in ("..", ".") or "/" in part or "\\" in part for part in parts):
        return file_error(
            dicomdir.name, "ESCAPE", "names files outside its folder", "Remove it; the files themselves are enough"
        )
    return None


def _file_id(record: Dataset) -> list[str]:
    """Referenced File ID (0004,1500) as its parts."""
    value = record.get("ReferencedFileID") or ()
    return [value] if isinstance(value, str) else [str(part) for part in value]


def _looks_like_dicom(path: Path) -> bool:
    ending = path.suffix.lower()
    if ending in DICOM_ENDINGS or ending[1:].isdigit():
        return True
    try:
        with path.open("rb") as stream:
            return stream.read(PREFIX_END)[-4:] == b"DICM"
    except OSError:
        return False
