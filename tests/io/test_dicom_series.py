"""Which series of a folder is read, which are left out, and what is refused by name."""

import shutil

import pytest
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from pointpet.core import ImageReadError, SuvError
from pointpet.io.dicom_pet import read_dicom_series
from pointpet.io.dicom_series import PET_STORAGE

CT_STORAGE = "1.2.840.10008.5.1.4.1.1.2"


def second(series, edit, change):
    """A second series beside the first, changed."""
    other = series.parent / "other"
    shutil.copytree(series, other)
    uid = generate_uid()

    def as_other(dataset):
        dataset.SeriesInstanceUID = uid
        dataset.SeriesNumber = 2
        change(dataset)

    edit(other, as_other)
    return series.parent


def as_ct(dataset):
    dataset.Modality = "CT"
    dataset.SOPClassUID = CT_STORAGE


def uncorrected(dataset):
    dataset.CorrectedImage = ["DECY"]


def as_mip(dataset):
    dataset.SeriesType = ["WHOLEBODY", "REPROJECTION"]


def as_image_type_mip(dataset):
    dataset.ImageType = ["DERIVED", "SECONDARY", "MIP"]


def dynamic(dataset):
    dataset.SeriesType = ["DYNAMIC", "IMAGE"]


def gated(dataset):
    dataset.SeriesType = ["GATED", "IMAGE"]


def enhanced(dataset):
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.130"


def legacy_enhanced(dataset):
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.128.1"


def captured(dataset):
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"


REFUSED_ALONE = [
    (as_ct, r"must be PET images, got Modality \(0008,0060\) CT"),
    (captured, r"must be PET images, got .* PT and SOP Class UID \(0008,0016\) 1.2.840.10008.5.1.4.1.1.7"),
    (as_mip, r"is a projection, not slices, by Series Type \(0054,1000\) WHOLEBODY/REPROJECTION"),
    (as_image_type_mip, r"is a projection.*Image Type \(0008,0008\) DERIVED/SECONDARY/MIP"),
    (dynamic, r"is a dynamic or gated series by Series Type \(0054,1000\) DYNAMIC"),
    (gated, r"is a dynamic or gated series by Series Type \(0054,1000\) GATED"),
    (enhanced, r"is Enhanced PET Image Storage 1.2.840.10008.5.1.4.1.1.130, which is not supported"),
    (legacy_enhanced, r"is Legacy Converted Enhanced PET Image Storage 1.2.840.10008.5.1.4.1.1.128.1"),
]


class TestAlone:
    @pytest.mark.parametrize(("change", "message"), REFUSED_ALONE)
    def test_refused(self, series, edit, change, message):
        edit(series, change)
        with pytest.raises(ImageReadError, match=message):
            read_dicom_series(series)

    def test_uncorrected(self, series, edit):
        edit(series, uncorrected)
        with pytest.raises(SuvError, match=r"Corrected Image \(0028,0051\) lacks ATTN"):
            read_dicom_series(series)

    def test_nothing(self, tmp_path):
        with pytest.raises(ImageReadError, match="must hold a PET series, got no DICOM file"):
            read_dicom_series(tmp_path)


class TestBeside:
    @pytest.mark.parametrize(
        ("change", "reason"),
        [*((change, None) for change, _ in REFUSED_ALONE), (uncorrected, "not attenuation-corrected")],
    )
    def test_left_out_with_a_warning(self, series, edit, change, reason):
        expected = read_dicom_series(series).volume.voxels
        reading = read_dicom_series(second(series, edit, change))
        assert (reading.volume.voxels == expected).all()
        assert len(reading.warnings) == 1
        assert "series 2 left out: " + (reason or "") in reading.warnings[0]

    def test_two_corrected_series_are_named_by_number(self, series, edit):
        with pytest.raises(
            ImageReadError, match=r"one attenuation-corrected PET series, got PT series 1 .*, PT series 2"
        ):
            read_dicom_series(second(series, edit, lambda dataset: None))

    def test_two_patients(self, series, edit):
        def other_patient(dataset):
            dataset.PatientID = "SENTINEL_OTHER"

        with pytest.raises(ImageReadError, match="must hold one patient, got PET of several") as caught:
            read_dicom_series(second(series, edit, other_patient))
        assert "SENTINEL" not in str(caught.value)

    def test_only_other_modalities(self, series, edit):
        folder = second(series, edit, as_ct)
        edit(series, as_ct)
        with pytest.raises(ImageReadError, match="must hold a PET series, got CT"):
            read_dicom_series(folder)

    def test_two_patients_in_one_series(self, series, edit):
        edit(series, lambda dataset: setattr(dataset, "PatientID", "SENTINEL_OTHER"), only=(2,))
        with pytest.raises(SuvError, match=r"Patient ID \(0010,0020\) differs between .*two patients") as caught:
            read_dicom_series(series)
        assert "SENTINEL" not in str(caught.value)


class TestFiles:
    def test_names_without_ending_and_with_numbers(self, series):
        for number, path in enumerate(sorted(series.iterdir())):
            path.rename(series / (f"IM{number}" if number % 2 else f"1.2.840.{number}"))
        assert read_dicom_series(series).volume.voxels.shape == (12, 10, 8)

    def test_any_ending_with_the_prefix_inside(self, series):
        for path in sorted(series.iterdir()):
            path.rename(path.with_suffix(".xyz"))
        assert read_dicom_series(series).volume.voxels.shape == (12, 10, 8)

    def test_other_files_are_passed_over(self, series):
        (series / "notes.txt").write_text("seen by Dr X")
        (series / "README").write_text("none")
        (series / ".DS_Store").write_bytes(b"x")
        (series / ".hidden").mkdir()
        (series / ".hidden" / "a.dcm").write_text("x")
        assert read_dicom_series(series).warnings == ("file notes.txt left out: no DICOM file",)

    def test_linked_folder_is_not_followed(self, series, tmp_path):
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        (series / "extra").symlink_to(elsewhere)
        assert read_dicom_series(series).warnings == ("a linked folder left out: links to folders are not followed",)


def dicomdir(path, *file_ids):
    """A directory file that lists `file_ids`."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.1.3.10"
    dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.DirectoryRecordSequence = [Dataset() for _ in file_ids]
    with disable_value_validation():
        for record, file_id in zip(dataset.DirectoryRecordSequence, file_ids, strict=True):
            record.ReferencedFileID = file_id
        dataset.save_as(path, enforce_file_format=True)


class TestDicomdir:
    def test_is_not_needed(self, series):
        dicomdir(series / "DICOMDIR", ["PET", "A"], "B")
        assert read_dicom_series(series).warnings == ("DICOMDIR left out: the files themselves are read",)

    @pytest.mark.parametrize("file_id", [["..", "passwd"], "../passwd", ["A", "..", "B"], "/etc"])
    def test_that_points_elsewhere_is_refused(self, series, file_id):
        dicomdir(series / "DICOMDIR", "A", file_id)
        with pytest.raises(ImageReadError, match="file DICOMDIR: names files outside its folder"):
            read_dicom_series(series)

    def test_that_is_none(self, series):
        (series / "DICOMDIR").write_text("list of files")
        with pytest.raises(ImageReadError, match="file DICOMDIR: is no DICOM file"):
            read_dicom_series(series)


def test_storage_class_of_our_own_series(series):
    assert read_dicom_series(series).series.sop_class_uid == PET_STORAGE
