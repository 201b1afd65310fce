"""Names of files without the names of patients."""

import pydicom
import pytest

from pointpet.core import ImageReadError, PointpetError
from pointpet.io.dicom_file import read_dicom_file
from pointpet.io.dicom_pet import read_dicom_beside, read_dicom_series
from pointpet.io.identity import FileNames, identifying_words, names_hidden, reveals_patient
from pointpet.io.pet import read_any_mask

UID = "1.2.826.0.1.3680043.8.498.10054440115374203230798096778335900730"


def test_words_are_those_of_names_numbers_and_dates(series, edit):
    def identify(dataset):
        dataset.PatientName = "Doe^John^J"
        dataset.PatientID = "MRN-12345"
        dataset.PatientBirthDate = "19610203"
        dataset.AccessionNumber = "77"
        dataset.OtherPatientIDs = "Q9"

    edit(series, identify)
    header = read_dicom_file(series / "slice_0000.dcm")
    assert identifying_words([header]) == {"doe", "john", "mrn", "12345", "19610203"}


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("DOE_JOHN.PT.PET_WB.0003.0001.IMA", "*_*.PT.PET_WB.0003.0001.IMA"),
        ("doejohn001.dcm", "**001.dcm"),
        ("12345_0001.dcm", "*_0001.dcm"),
        ("slice_0001.dcm", "slice_0001.dcm"),
        (f"RS.{UID}.dcm", "RS.*900730.dcm"),
        ("PET.3.1.2024.01.02.10.30.IMA", "PET.3.1.2024.01.02.10.30.IMA"),
    ],
)
def test_a_name_is_shown_without_its_words(name, shown):
    assert FileNames([name], {"doe", "john", "12345"}).shown(name) == shown


def test_every_file_that_a_text_names_is_found():
    names = FileNames(["DOE 1.dcm", "DOE 12.dcm", "doe"], {"doe"})
    text = "file DOE 12.dcm and file DOE 1.dcm: a profile of John Doe lies in file doe"
    assert names.hide(text) == "file * 12.dcm and file * 1.dcm: a profile of John Doe lies in file *"


def test_where_no_header_can_be_read_the_ending_alone_is_shown(tmp_path):
    (tmp_path / "DOE_JOHN.dcm").write_bytes(b"")
    with pytest.raises(ImageReadError, match=r"^file \*\.dcm: is empty"):
        read_dicom_series(tmp_path)
    assert reveals_patient("anything", tmp_path)


class TestReaders:
    @pytest.fixture
    def named(self, series):
        for number, path in enumerate(sorted(series.iterdir())):
            dataset = pydicom.dcmread(path)
            dataset.PatientName = "Doe^John"
            dataset.save_as(path)
            path.rename(series / f"DOE_{number}.dcm")
        return series

    def test_series(self, named):
        (named / "DOE_3.dcm").unlink()
        with pytest.raises(ImageReadError, match=r"file \*_2\.dcm and file \*_4\.dcm are") as caught:
            read_dicom_series(named)
        assert "DOE" not in str(caught.value)
        assert caught.value.__suppress_context__  # no traceback shows it either

    def test_one_file_of_it(self, named):
        (named / "DOE_3.dcm").write_bytes(b"")
        with pytest.raises(ImageReadError, match=r"file \*_3\.dcm: is empty"):
            read_dicom_beside(named / "DOE_1.dcm")

    def test_warnings(self, named):
        (named / "letter to Doe.txt").write_text("Dear")
        assert read_dicom_series(named).warnings == ("file letter to *.txt left out: no DICOM file",)

    def test_mask(self, named, suv_volume):
        dataset = pydicom.dcmread(named / "DOE_0.dcm")
        dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.481.3"
        dataset.save_as(named.parent / "DOE_RS.dcm")
        with pytest.raises(ImageReadError, match=r"^file \*_RS\.dcm: its contours cannot be parsed"):
            read_any_mask(named.parent / "DOE_RS.dcm", suv_volume)

    def test_other_errors_pass(self):
        with pytest.raises(PointpetError, match=r"^a: b\. c\.$"), names_hidden():
            raise PointpetError("PP-X", "a", "b", "c")
