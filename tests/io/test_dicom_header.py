"""From the files of a series to the facts of its header."""

import numpy as np
import pytest
from pydicom.dataset import Dataset

from pointpet.core import SuvError
from pointpet.io.dicom_file import read_dicom_file
from pointpet.io.dicom_header import pet_header


def header(folder):
    return pet_header([read_dicom_file(path) for path in sorted(folder.iterdir())], "PT series 1")


def add_private(group, creator, element, vr, value):
    def change(dataset):
        block = dataset.private_block(group, creator, create=True)
        block.add_new(element, vr, value)

    return change


def add_bare_private(tag, vr, value, manufacturer):
    def change(dataset):
        dataset.Manufacturer = manufacturer
        dataset.add_new(tag, vr, value)

    return change


class TestFacts:
    def test_of_our_own_series(self, series):
        facts = header(series)
        assert (facts.units, facts.decay_correction, facts.weight_kg, facts.sex) == ("BQML", "START", 70.0, "M")
        assert facts.corrected_image == ("NORM", "DTIM", "ATTN", "SCAT", "DECY", "RAN")
        assert (facts.dose_bq, facts.half_life_s, facts.injection_time) == (350e6, 6586.2, "093000.000000")
        assert facts.nuclide == ("77004003", "^18^Fluorine", "Fluorodeoxyglucose F^18^")
        assert facts.acquisition_dates == ("20240115",) * 8
        assert np.unique(facts.frame_durations_ms) == [120000.0]

    def test_acquisition_datetime_stands_in(self, series, edit):
        def only_datetime(dataset):
            dataset.AcquisitionDate = dataset.AcquisitionTime = ""
            dataset.AcquisitionDateTime = "20240115103000.000000"

        edit(series, only_datetime)
        facts = header(series)
        assert (facts.acquisition_dates[0], facts.acquisition_times[0]) == ("20240115", "103000.000000")

    def test_absent_values_are_none(self, series, edit):
        edit(series, lambda dataset: delattr(dataset, "RadiopharmaceuticalInformationSequence"))
        edit(series, lambda dataset: delattr(dataset, "RescaleSlope"))
        facts = header(series)
        assert (facts.dose_bq, facts.injection_time, facts.nuclide) == (None, None, ())
        assert np.isnan(facts.slopes).all()

    def test_implicit_undefined_length_sequence(self, series, edit):
        """Sequences of undefined length are parsed by pydicom while reading; the facts are the same."""

        def undefined(dataset):
            dataset["RadiopharmaceuticalInformationSequence"].is_undefined_length = True

        edit(series, undefined)
        assert header(series).dose_bq == 350e6


class TestPrivate:
    @pytest.mark.parametrize(
        ("change", "name", "value"),
        [
            (
                add_private(0x0009, "GEMS_PETD_01", 0x0D, "DT", "20240115103000.00"),
                "ge_scan_datetime",
                "20240115103000.00",
            ),
            (
                add_private(0x0071, "SIEMENS MED PT", 0x22, "DT", "20240115103000"),
                "siemens_decay_datetime",
                "20240115103000",
            ),
            (add_private(0x7053, "Philips PET Private Group", 0x00, "DS", "0.5"), "philips_suv_factor", 0.5),
            (add_private(0x7053, "Philips PET Private Group", 0x09, "DS", "0.7"), "philips_activity_factor", 0.7),
            (add_private(0x7053, "Philips PET Private Group", 0x09, "UN", b"0.7 "), "philips_activity_factor", 0.7),
            (
                add_bare_private(0x0009100D, "DT", "20240115103000", "GE MEDICAL SYSTEMS"),
                "ge_scan_datetime",
                "20240115103000",
            ),
            (add_bare_private(0x70531000, "DS", "0.5", "Philips Medical Systems"), "philips_suv_factor", 0.5),
        ],
    )
    def test_is_found_by_creator_or_by_maker(self, series, edit, change, name, value):
        edit(series, change)
        assert getattr(header(series), name) == value

    def test_is_found_in_a_later_block(self, series, edit):
        def second_block(dataset):
            dataset.private_block(0x7053, "SOMEONE ELSE", create=True).add_new(0x00, "DS", "9")
            dataset.private_block(0x7053, "Philips PET Private Group", create=True).add_new(0x00, "DS", "0.5")

        edit(series, second_block)
        assert header(series).philips_suv_factor == 0.5

    @pytest.mark.parametrize("creator", ["SOMEONE ELSE", "GEMS_OTHER"])
    def test_of_another_creator_is_not_taken(self, series, edit, creator):
        edit(series, add_private(0x0009, creator, 0x0D, "DT", "19990101103000"))
        assert header(series).ge_scan_datetime is None

    def test_of_another_maker_without_creator_is_not_taken(self, series, edit):
        edit(series, add_bare_private(0x0009100D, "DT", "19990101103000", "SIEMENS"))
        assert header(series).ge_scan_datetime is None

    def test_that_is_no_number(self, series, edit):
        edit(series, add_private(0x7053, "Philips PET Private Group", 0x00, "UN", b"much"))
        with pytest.raises(SuvError, match=r"Philips SUV Scale Factor \(7053,1000\) must be a number, got 'much'"):
            header(series)


class TestOneSeries:
    @pytest.mark.parametrize(
        ("keyword", "value", "message"),
        [
            (
                "PatientWeight",
                71,
                r"Patient's Weight \(0010,1030\) must be one value.*got 70.0 .* and 71.0 in file slice_0005",
            ),
            ("Units", "GML", r"Units \(0054,1001\) must be one value"),
            ("DecayCorrection", "ADMIN", r"Decay Correction \(0054,1102\) must be one value"),
            ("SeriesTime", "120000", r"Series Time \(0008,0031\) must be one value"),
            ("StudyInstanceUID", "1.2.3", r"Study Instance UID \(0020,000D\) differs .* two patients or studies"),
        ],
    )
    def test_facts_must_not_differ_between_slices(self, series, edit, keyword, value, message):
        edit(series, lambda dataset: setattr(dataset, keyword, value), only=(5,))
        with pytest.raises(SuvError, match=message):
            header(series)

    def test_nor_the_dose(self, series, edit):
        def other_dose(dataset):
            dataset.RadiopharmaceuticalInformationSequence[0].RadionuclideTotalDose = 1e8

        edit(series, other_dose, only=(5,))
        with pytest.raises(SuvError, match=r"Radionuclide Total Dose \(0018,1074\) must be one value"):
            header(series)

    def test_a_value_written_in_two_ways_is_one_value(self, series, edit):
        edit(series, lambda dataset: setattr(dataset, "PatientWeight", "70.00"), only=(5,))
        assert header(series).weight_kg == 70.0

    def test_two_injections(self, series, edit):
        edit(series, lambda dataset: dataset.RadiopharmaceuticalInformationSequence.append(Dataset()))
        with pytest.raises(SuvError, match=r"Sequence \(0054,0016\) must have one item, got 2: an SUV of several"):
            header(series)

    def test_a_sequence_that_is_none(self, series, edit):
        def as_text(dataset):
            del dataset.RadiopharmaceuticalInformationSequence
            dataset.add_new(0x00540016, "LO", "FDG")

        edit(series, as_text)
        with pytest.raises(SuvError, match=r"slice_0000.dcm: .*Sequence \(0054,0016\) cannot be parsed"):
            header(series)
