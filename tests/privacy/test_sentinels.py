"""Nothing that tells who a patient is leaves the source: planted words are sought in all that every command leaves.

Names, numbers, dates, descriptions, folders and files of the source hold words that occur nowhere else. Commands run as
a user starts them, on good cases and on damaged ones; then all that is written and printed is searched, unpacked.
"""

import base64
import gzip
import http.client
import io
import json
import os
import re
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from pointpet.core import Volume
from pointpet.io.dicom_write import write_pet_series
from pointpet.phantom import PhantomCase, generate_case

PROGRAM = Path(sys.executable).with_name("pointpet")
EVERY = 4
"""Every fourth voxel along each axis: the scans need not be fine, the commands must run through."""
SECRETS = ("SENTINEL", "19610203", "1961-02-03")
CONFIGURATION = """
training: {epochs: 2, input_mm: 8.0, cam_stride: 4, widths: [4, 4, 4, 4, 4, 4, 4, 4], threads: 1}
prepare: {pixel_mm: 4.0}
"""


class Source:
    """DICOM of a cohort, its patients' words, and where its outputs go."""

    def __init__(self, root: Path, work: Path, patients: int) -> None:
        self.root, self.work, self.patients = root, work, patients
        self.cases = [generate_case(k, patients=patients, seed=6, preset="default") for k in range(patients)]
        self.uids: set[str] = set()
        self.printed: dict[str, str] = {}
        for number, case in enumerate(self.cases):
            self._write(number, case)
        self.damaged()

    def folder(self, number: int) -> Path:
        """Where a patient's series lies."""
        return self.root / f"SENTINEL_DOE_{number}" / "SENTINEL_STUDY" / "PET"

    def _write(self, number: int, case: PhantomCase) -> None:
        affine = case.volume.affine @ np.diag([EVERY, EVERY, EVERY, 1])
        volume = Volume(np.ascontiguousarray(case.volume.voxels[::EVERY, ::EVERY, ::EVERY]), affine)
        start = datetime(2024, 1, 15 + number, 10, 30)
        folder = self.folder(number)
        folder.parent.mkdir(parents=True)
        write_pet_series(volume, case.acquisition, folder, patient_id=f"SENTINEL_ID_{number}", scan_start=start)
        for path in folder.iterdir():
            dataset = pydicom.dcmread(path)
            identify(dataset, number)
            dataset.save_as(path)
            self.uids |= {dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID}
            # As scanners name their files: after the patient, or after the object.
            number_or_uid = dataset.SOPInstanceUID if number % 2 else f"{dataset.InstanceNumber:04}"
            path.rename(folder / f"SENTINEL_NAME.PT.{number_or_uid}.IMA")

    def damaged(self) -> None:
        """The last patient has no weight, the one before a slice that ends early."""
        for path in self.folder(self.patients - 1).iterdir():
            dataset = pydicom.dcmread(path)
            dataset.PatientWeight = 0
            dataset.save_as(path)
        victim = sorted(self.folder(self.patients - 2).iterdir())[5]
        victim.write_bytes(victim.read_bytes()[:-100])

    def manifest(self, numbers: range, name: str = "cohort.csv") -> Path:
        """A manifest that refers to the source's own folders."""
        path = self.work / name
        lines = ["case_id,pet,label,x_mm,y_mm,z_mm"]
        for number in numbers:
            point = ",".join(str(value) for value in self.cases[number].points_mm[0])
            place = os.path.relpath(self.folder(number), path.parent)
            lines.append(f"C{number},{place},{self.cases[number].label},{point}")
        path.write_text("\n".join(lines) + "\n")
        return path

    def run(self, *arguments: object, status: int = 0) -> str:
        """Run a command and keep all it prints."""
        words = [str(word) for word in arguments]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "NO_COLOR": "1"}
        done = subprocess.run([PROGRAM, *words], capture_output=True, text=True, env=environment, cwd=self.work)
        assert done.returncode == status, done.stdout + done.stderr
        self.printed[f"{words[0]} {len(self.printed)}"] = done.stdout + done.stderr
        return done.stdout + done.stderr


def identify(dataset: Dataset, number: int) -> None:
    """Plant what a hospital's header holds."""
    dataset.PatientName = f"SENTINEL^NAME^{number}"
    dataset.PatientBirthDate = "19610203"
    dataset.AccessionNumber = f"SENTINEL{number}"
    dataset.OtherPatientIDs = "SENTINEL_OTHER"
    dataset.PatientAddress = "SENTINEL STREET"
    dataset.PatientComments = "SENTINEL COMMENT"
    dataset.InstitutionName = "SENTINEL CLINIC"
    dataset.ReferringPhysicianName = "SENTINEL^REFERRER"
    dataset.OperatorsName = "SENTINEL^OPERATOR"
    dataset.StudyDescription = "SENTINEL STUDY"
    dataset.SeriesDescription = "SENTINEL SERIES"
    dataset.ProtocolName = "SENTINEL PROTOCOL"
    dataset.RequestAttributesSequence = [Dataset()]
    dataset.RequestAttributesSequence[0].RequestedProcedureID = "SENTINEL"


def unpacked(name: str, content: bytes) -> Iterator[bytes]:
    """The bytes as they are, and what they hold packed: gzip, zip, PNG text, pictures inside pages."""
    yield content
    if content[:2] == b"\x1f\x8b":
        yield from unpacked(name, gzip.decompress(content))
    if content[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for entry in archive.namelist():
                yield entry.encode()
                yield from unpacked(entry, archive.read(entry))
    if content[:8] == b"\x89PNG\r\n\x1a\n":
        for found in re.finditer(rb"(zTXt|iTXt)([^\0]*)\0", content):
            try:
                yield zlib.decompressobj().decompress(content[found.end() + 1 :])
            except zlib.error:
                continue
    for found in re.finditer(rb"base64,([A-Za-z0-9+/=]{40,})", content):
        yield from unpacked(name, base64.b64decode(found[1] + b"=="))


def hits(name: str, content: bytes, secrets: tuple[str, ...]) -> list[tuple[str, str]]:
    """Where a secret stands, in any common encoding."""
    found = []
    for part in unpacked(name, content):
        for secret in secrets:
            forms = (secret.encode(), secret.encode("utf-16-le"), secret.lower().encode(), secret[::-1].encode())
            found += [(name, secret) for form in forms if form in part]
    return found


def leaks(source: Source, *, but: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """All finds in what was written and printed, DICOM objects and `but` aside."""
    secrets = (*SECRETS, *sorted(source.uids))
    found = []
    for path in sorted(source.work.rglob("*")):
        relative = str(path.relative_to(source.work))
        found += hits(relative, relative.encode(), secrets)
        if path.is_file() and path.suffix != ".dcm" and relative not in but:
            found += hits(relative, path.read_bytes(), secrets)
    for name, text in source.printed.items():
        found += hits(name, text.replace(str(source.work), "").encode(), secrets)
    return found


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Source:
    work = tmp_path_factory.mktemp("work")
    return Source(tmp_path_factory.mktemp("data") / "SENTINEL_ROOT", work, 4)


@pytest.fixture
def larger_source(tmp_path) -> Source:
    """Four sound patients a class: enough for two folds."""
    (tmp_path / "work").mkdir()
    return Source(tmp_path / "SENTINEL_ROOT", tmp_path / "work", 10)


MANIFESTS = ("cohort.csv", "annotate/cohort.csv", "all.csv", "key.csv", "gone.csv")
"""The user's own: they name the source's folders or the patients."""


@pytest.mark.parametrize("form", ["text", "utf-16", "gzip", "zip", "png", "page"])
def test_the_search_finds_what_is_hidden(form, tmp_path):
    """A search that cannot find anything proves nothing."""
    from PIL import Image, PngImagePlugin

    content = b"xx SENTINEL xx"
    if form == "utf-16":
        content = "SENTINEL".encode("utf-16-le")
    if form == "gzip":
        content = gzip.compress(content)
    if form == "zip":
        np.savez_compressed(tmp_path / "a.npz", text=np.frombuffer(content, np.uint8))
        content = (tmp_path / "a.npz").read_bytes()
    if form in ("png", "page"):
        text = PngImagePlugin.PngInfo()
        text.add_text("comment", "SENTINEL", zip=True)
        Image.new("L", (4, 4)).save(tmp_path / "a.png", pnginfo=text)
        content = (tmp_path / "a.png").read_bytes()
    if form == "page":
        content = b'<img src="data:image/png;base64,' + base64.b64encode(content) + b'">'
    assert hits("a", content, SECRETS)


def test_import_check_prepare_and_segment(source):
    printed = source.run("import", source.root, "-o", "imported", "--pseudonyms", "key.csv", "--verbose", status=3)
    assert "2 cases imported" in printed
    key = (source.work / "key.csv").read_text()
    assert key.count("SENTINEL_ID_") == source.patients, "the key alone names patients"
    everyone = source.manifest(range(source.patients), "all.csv")
    for options in (("--verbose",), ("--json", "--strict")):
        source.run("check", everyone, *options, status=1)
    source.run("check", "imported/cohort.csv")
    source.run("prepare", everyone, "-o", "prepared", "--verbose", status=3)
    point = "--point=" + ",".join(str(value) for value in source.cases[0].points_mm[0])
    source.run("segment", source.folder(0), point, "-o", "segmented", "--formats", "nifti,dicom-seg,rtstruct")
    for number in (source.patients - 1, source.patients - 2):
        source.run("segment", source.folder(number), point, "-o", f"failed{number}", status=1)
    gone = source.work / "gone.csv"
    gone.write_text("case_id,pet,label\nC1,../SENTINEL_GONE,lung\n")
    source.run("check", gone, status=1)
    assert leaks(source, but=MANIFESTS) == []


def test_dicom_masks_carry_their_patient_and_nothing_more(source):
    """They go back to the archive: patient and study as in the source; no operator, clinic, comment or series text."""
    point = "--point=" + ",".join(str(value) for value in source.cases[1].points_mm[0])
    source.run("segment", source.folder(1), point, "-o", "masks", "--formats", "nifti,dicom-seg,rtstruct")
    origin = pydicom.dcmread(next(source.folder(1).iterdir()))
    for name in ("seg.dcm", "rtstruct.dcm"):
        dataset = pydicom.dcmread(source.work / "masks" / name)
        for keyword in ("PatientName", "PatientID", "PatientBirthDate", "AccessionNumber", "StudyInstanceUID"):
            assert dataset[keyword].value == origin[keyword].value
        text = str(dataset)
        for word in ("OPERATOR", "CLINIC", "STREET", "COMMENT", "SENTINEL SERIES", "PROTOCOL", str(source.root)):
            assert word not in text


def test_annotate_page(source):
    (source.work / "annotate").mkdir()
    cohort = source.manifest(range(2), "annotate/cohort.csv")
    command = [PROGRAM, "annotate", cohort, "--port", "0", "--no-browser", "--verbose"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        assert server.stdout is not None
        lines = []
        for line in server.stdout:
            lines.append(line)
            address = re.search(r"http://([\d.]+):(\d+)/\?token=([\w-]+)", line)
            if address:
                break
        assert address is not None
        found = []
        places = ["/", "/api/cohort"]
        places += [f"/api/cases/C{n}/{what}" for n in (0, 1) for what in ("mips", "thumbnail", "lesion")]
        places += ["/api/cases/C9/mips"]
        statuses = {}
        for place in places:
            connection = http.client.HTTPConnection(address[1], int(address[2]), timeout=60)
            connection.request("GET", place, headers={"Authorization": f"Bearer {address[3]}"})
            response = connection.getresponse()
            content = response.read()
            statuses[place] = response.status
            found += hits(place, content + str(response.getheaders()).encode(), (*SECRETS, *source.uids))
            connection.close()
        server.terminate()
        lines += server.stdout.readlines()
    assert (statuses["/api/cohort"], statuses["/api/cases/C0/mips"]) == (200, 200), content
    assert statuses["/api/cases/C9/mips"] == 404
    found += hits("annotate", "".join(lines).encode(), (*SECRETS, *source.uids))
    assert found == []
    assert leaks(source, but=MANIFESTS) == []


@pytest.mark.slow
def test_train_predict_study_report_and_quantify(larger_source):
    source = larger_source
    (source.work / "tiny.yaml").write_text(CONFIGURATION)
    cohort = source.manifest(range(source.patients - 2))
    source.run("train", cohort, "-o", "model", "--config", "tiny.yaml", "--verbose")
    inputs = [source.folder(number) for number in (0, 1, source.patients - 1, source.patients - 2)]
    source.run("predict", "model", *inputs, "-o", "predicted", "--formats", "nifti,dicom-seg,rtstruct", status=3)
    everyone = source.manifest(range(source.patients), "all.csv")
    options = ("--folds", "2", "--methods", "proposed,click41", "--config", "tiny.yaml", "--verbose")
    source.run("study", everyone, "-o", "study", *options, status=3)
    source.run("report", "study")
    source.run("quantify", cohort, "-o", "features.csv", "--masks", "study/predictions/proposed", status=0)
    page = (source.work / "study" / "report.html").read_text()
    assert "PP-SUV-WEIGHT" in page, "the failed cases are in the report"
    assert "data:image/png;base64," in page
    assert leaks(source, but=MANIFESTS) == []


def test_the_planted_words_are_in_the_source(source):
    content = b"".join(path.read_bytes() for path in source.folder(0).iterdir())
    assert hits("source", content, SECRETS)
    assert len({generate_uid(), *source.uids}) > source.patients
    assert json.dumps(sorted(source.uids)[:1]) != "[]"
