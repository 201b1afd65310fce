"""SUV factors from header facts, against figures worked by hand and the reference objects' settings."""

from dataclasses import replace
from datetime import datetime
from math import exp, expm1, inf, log, nan

import numpy as np
import pytest

from pointpet.core import SuvError
from pointpet.image.suv import suv_scaling
from pointpet.image.suv_header import PetHeader

HALF_LIFE_S = 6586.2
RATE = log(2) / HALF_LIFE_S
DOSE = 368.08e6
WEIGHT_G = 70000.0
HOUR_DECAYED = WEIGHT_G / (DOSE * exp(-3600 * RATE))


def header(**changes) -> PetHeader:
    """The default reference object: 70 kg, 1.75 m, 368.08 MBq of F-18 an hour before the scan, BQML, START."""
    count = len(changes.get("slopes", [1.0, 1.0]))
    facts = {
        "slopes": np.ones(count),
        "units": "BQML",
        "decay_correction": "START",
        "corrected_image": ("NORM", "ATTN", "SCAT", "DECY"),
        "series_date": "20250101",
        "series_time": "110000.000000",
        "acquisition_dates": ("20250101",) * count,
        "acquisition_times": ("110000.000000",) * count,
        "frame_reference_ms": np.full(count, 150000.0),
        "frame_durations_ms": np.full(count, 300000.0),
        "weight_kg": 70.0,
        "height_m": 1.75,
        "sex": "M",
        "dose_bq": DOSE,
        "half_life_s": HALF_LIFE_S,
        "nuclide": ("C-111A1", "^18^Fluorine", "FDG"),
        "injection_datetime": "20250101100000.000000",
        "injection_time": "100000.000000",
        "manufacturer": "Synthetic",
        "names": tuple(f"{index:03}.dcm" for index in range(count)),
    }
    return PetHeader(**(facts | changes))


def factor(**changes) -> float:
    return float(suv_scaling(header(**changes)).factors[0])


def codes(**changes) -> list[str]:
    return [note.code for note in suv_scaling(header(**changes)).notes]


class TestUnits:
    def test_activity_with_start_divides_by_the_decayed_dose(self):
        assert factor() == pytest.approx(HOUR_DECAYED, rel=1e-12)

    def test_activity_with_admin_divides_by_the_injected_dose(self):
        assert factor(decay_correction="ADMIN") == pytest.approx(WEIGHT_G / DOSE, rel=1e-12)

    def test_admin_read_as_start_would_be_46_percent_off(self):
        """The cost of the mistake at 60 minutes, as known for F-18."""
        assert factor() / factor(decay_correction="ADMIN") == pytest.approx(1.46, abs=0.005)

    def test_each_slice_keeps_its_own_slope(self):
        factors = suv_scaling(header(slopes=[0.5, 2.0, 3.0])).factors
        assert factors / HOUR_DECAYED == pytest.approx([0.5, 2.0, 3.0], rel=1e-12)

    @pytest.mark.parametrize("suv_type", [None, "BW", "", " bw "])
    def test_gml_is_suv_already(self, suv_type):
        assert factor(units="GML", suv_type=suv_type, slopes=[0.25]) == 0.25

    def test_gml_needs_neither_weight_nor_dose(self):
        assert factor(units="GML", weight_kg=None, dose_bq=None, half_life_s=None, injection_datetime=None) == 1.0

    @pytest.mark.parametrize(
        ("suv_type", "sex", "kilograms"),
        [
            # Worked by hand for 70 kg and 175 cm after Sugawara 1999, Janmahasatian 2005.
            ("LBM", "M", 1.10 * 70 - 120 * 0.16),
            ("LBM", "F", 1.07 * 70 - 148 * 0.16),
            ("LBMJAMES128", "M", 1.10 * 70 - 128 * 0.16),
            ("LBMJAMES128", "F", 1.07 * 70 - 148 * 0.16),
            ("LBMJANMA", "M", 9270 * 70 / (6680 + 216 * 70 / 1.75**2)),
            ("LBMJANMA", "F", 9270 * 70 / (8780 + 244 * 70 / 1.75**2)),
            ("IBW", "M", 48 + 1.06 * 23),
            ("IBW", "F", 45.5 + 0.91 * 23),
            ("IBW", "O", (48 + 1.06 * 23 + 45.5 + 0.91 * 23) / 2),
        ],
    )
    def test_lean_and_ideal_weight_are_converted_back(self, suv_type, sex, kilograms):
        assert factor(units="GML", suv_type=suv_type, sex=sex) == pytest.approx(70.0 / kilograms, rel=1e-9)

    def test_body_surface_is_converted_back(self):
        surface_cm2 = 1e4 * 0.007184 * 70**0.425 * 175**0.725
        assert factor(units="CM2ML") == pytest.approx(WEIGHT_G / surface_cm2, rel=1e-12)

    def test_counts_take_the_suv_factor(self):
        assert factor(units="CNTS", philips_suv_factor=5e-4, slopes=[2.0]) == pytest.approx(1e-3)

    def test_counts_take_the_activity_factor_where_it_stands_alone(self):
        assert factor(units="CNTS", philips_activity_factor=0.5) == pytest.approx(0.5 * HOUR_DECAYED)

    def test_counts_whose_first_factor_is_0_take_the_other_and_say_so(self):
        changes = {"units": "CNTS", "philips_suv_factor": 0.0, "philips_activity_factor": 0.5}
        assert factor(**changes) == pytest.approx(0.5 * HOUR_DECAYED)
        assert codes(**changes) == ["PP-SUV-PHILIPS"]

    def test_two_factors_that_agree_within_a_percent_are_accepted(self):
        direct = 0.5 * HOUR_DECAYED * 1.009
        assert factor(units="CNTS", philips_suv_factor=direct, philips_activity_factor=0.5) == pytest.approx(direct)

    def test_a_factor_that_cannot_be_checked_is_used_with_a_warning(self):
        scaling = suv_scaling(
            header(units="CNTS", philips_suv_factor=5e-4, philips_activity_factor=0.5, weight_kg=None)
        )
        assert scaling.factors[0] == 5e-4
        assert "could not be checked" in scaling.warnings[0]
        assert "(0010,1030) is absent" in scaling.warnings[0]


class TestReferenceTime:
    def test_private_ge_time_goes_first(self):
        """DRO_3_3: Series Time agrees with nothing, the private time is the scan's start."""
        late = {"acquisition_times": ("113000",) * 2, "ge_scan_datetime": "20250101110000.00"}
        assert factor(**late) == pytest.approx(HOUR_DECAYED)

    def test_private_siemens_time(self):
        late = {"acquisition_times": ("113000",) * 2, "siemens_decay_datetime": "20250101110000"}
        assert factor(**late) == pytest.approx(HOUR_DECAYED)

    def test_private_time_of_another_date_system_is_passed_over_with_a_warning(self):
        scaling = suv_scaling(header(ge_scan_datetime="20190303110000"))
        assert scaling.factors[0] == pytest.approx(HOUR_DECAYED)
        assert "(0009,100D) is not used" in scaling.warnings[0]

    def test_series_time_at_the_earliest_acquisition(self):
        scaling = suv_scaling(header(acquisition_times=("111500", "110000")))
        assert scaling.reference_time == datetime(2025, 1, 1, 11)

    def test_back_from_the_mean_count_time(self):
        """DRO_3_2: two beds; Series Time lies after both; mean count time 299.9 s into a frame of 603 s."""
        scaling = suv_scaling(
            header(
                series_time="113000",
                acquisition_times=("110230", "110500"),
                frame_reference_ms=[450000.0, 600000.0],
                frame_durations_ms=[603000.0, 603000.0],
            )
        )
        assert abs((scaling.reference_time - datetime(2025, 1, 1, 11)).total_seconds()) < 0.2
        assert scaling.factors[0] == pytest.approx(HOUR_DECAYED, rel=1e-4)

    def test_ge_counts_to_the_start_of_the_frame(self):
        scaling = suv_scaling(
            header(
                manufacturer="GE MEDICAL SYSTEMS",
                series_time="113000",
                acquisition_times=("110230", "110500"),
                frame_reference_ms=[150000.0, 300000.0],
                frame_durations_ms=None,
            )
        )
        assert scaling.reference_time == datetime(2025, 1, 1, 11)

    def test_part_of_a_ge_series_leads_back_to_series_time(self):
        """As in the STS cohort: slices of the fourth bed alone, 915 s after Series Time by Frame Reference Time too."""
        scaling = suv_scaling(
            header(
                manufacturer="GE MEDICAL SYSTEMS",
                acquisition_times=("111515",) * 2,
                frame_reference_ms=[915000.0] * 2,
                frame_durations_ms=[180000.0] * 2,
            )
        )
        assert scaling.reference_time == datetime(2025, 1, 1, 11)

    def test_exhausted_chain_names_every_step(self):
        with pytest.raises(SuvError) as caught:
            factor(series_time="113000", frame_reference_ms=None)
        message = str(caught.value)
        for part in ("(0009,100D): absent", "(0071,1022): absent", "differs from the earliest", "not by GE"):
            assert part in message
        assert message.count("Frame Reference Time (0054,1300)") >= 2

    def test_chain_names_an_absent_duration_and_series_time(self):
        with pytest.raises(SuvError, match=r"Series Date \(0008,0021\) or .* is absent; .*\(0018,1242\) is absent"):
            factor(series_time=None, frame_durations_ms=None)

    def test_slices_that_contradict_each_other_are_not_averaged(self):
        """One Acquisition Time for all beds, but a Frame Reference Time each, as in the raw STS_001."""
        with pytest.raises(SuvError, match="answers lie 300 s from each other"):
            factor(series_time="113000", frame_reference_ms=[0.0, 300000.0])

    @pytest.mark.parametrize(
        ("change", "tag"),
        [({"acquisition_dates": (None,) * 2}, "0008,0022"), ({"acquisition_times": (None,) * 2}, "0008,0032")],
    )
    def test_absent_acquisition_date_or_time(self, change, tag):
        with pytest.raises(SuvError, match=rf"000.dcm: .* \({tag}\) is absent"):
            factor(**change)

    @pytest.mark.parametrize("text", ["2561", "11:75:00", "noon", "1", "110000.12a"])
    def test_malformed_time(self, text):
        with pytest.raises(SuvError, match=r"Acquisition Time \(0008,0032\) is .*expected a time of day"):
            factor(acquisition_times=(text,) * 2)

    @pytest.mark.parametrize("text", ["20251301", "2025", "1 January"])
    def test_malformed_date(self, text):
        with pytest.raises(SuvError, match=r"Series Date \(0008,0021\) is .*expected a date"):
            factor(series_date=text)

    @pytest.mark.parametrize("text", ["20250101", "20250101x", "2025-01-01T99"])
    def test_malformed_date_and_time(self, text):
        with pytest.raises(SuvError, match=r"\(0018,1078\) is .*expected a (date and time|time of day)"):
            factor(injection_datetime=text)

    @pytest.mark.parametrize("text", ["1100", "11", "110000.5", "11:00:00", "110000 "])
    def test_every_precision_of_a_time(self, text):
        assert factor(acquisition_times=(text,) * 2) == pytest.approx(HOUR_DECAYED)

    def test_leap_second(self):
        assert factor(acquisition_times=("105960",) * 2, series_time="105960") > 0


class TestInjection:
    def test_time_alone_takes_the_scan_s_date(self):
        assert factor(injection_datetime=None) == pytest.approx(HOUR_DECAYED)
        assert codes(injection_datetime=None) == []

    def test_date_and_time_alone(self):
        assert factor(injection_time=None) == pytest.approx(HOUR_DECAYED)

    def test_across_midnight(self):
        """DRO_4_2; unnoticed, the dose would grow over 23 h instead of decaying over one."""
        night = {
            "series_date": "20250102",
            "series_time": "003000",
            "acquisition_dates": ("20250102",) * 2,
            "acquisition_times": ("003000",) * 2,
            "injection_datetime": None,
            "injection_time": "233000",
        }
        assert factor(**night) == pytest.approx(HOUR_DECAYED)
        assert codes(**night) == ["PP-SUV-MIDNIGHT"]

    @pytest.mark.parametrize("text", ["20250102100000", "20241231100000", "20190101100000"])
    def test_wrong_date_is_rebuilt(self, text):
        """15 of the 51 STS patients have an injection date one day late."""
        assert factor(injection_datetime=text) == pytest.approx(HOUR_DECAYED)
        assert codes(injection_datetime=text) == ["PP-SUV-DATE"]

    def test_injection_shortly_after_the_scan_is_taken_with_a_warning(self):
        scaling = suv_scaling(header(injection_datetime="20250101113000"))
        assert scaling.factors[0] == pytest.approx(WEIGHT_G / (DOSE * exp(1800 * RATE)))
        assert "1800 s after the scan" in scaling.warnings[0]

    @pytest.mark.parametrize("text", ["20250101071000", "20250101130000"])
    def test_more_than_two_half_lives_or_an_hour_ahead_is_refused(self, text):
        with pytest.raises(SuvError, match=r"\(0018,1078\) is \d+, which puts the scan -?\d.* h after the injection"):
            factor(injection_datetime=text)

    def test_a_long_half_life_allows_no_rebuilding(self):
        zirconium = {"half_life_s": 282276.0, "nuclide": ("89Zr",), "injection_datetime": "20250102100000"}
        with pytest.raises(SuvError, match=r"-23\.00 h after the injection"):
            factor(**zirconium)

    def test_both_absent(self):
        with pytest.raises(SuvError, match=r"\(0018,1078\) and .*\(0018,1072\) are both absent.*injection_time"):
            factor(injection_datetime=None, injection_time=None)


class TestUndecayed:
    def test_none_is_corrected_slice_by_slice(self):
        """DRO_3_4: two beds of 603 s that start 5 minutes apart."""
        factors = suv_scaling(
            header(
                decay_correction="NONE",
                corrected_image=("ATTN", "SCAT"),
                acquisition_times=("110000", "110500"),
                frame_durations_ms=[603000.0] * 2,
            )
        ).factors
        frame = RATE * 603 / -expm1(-RATE * 603)
        assert factors == pytest.approx([WEIGHT_G / DOSE * frame * exp(RATE * t) for t in (3600, 3900)], rel=1e-9)

    def test_none_needs_the_duration(self):
        with pytest.raises(SuvError, match=r"000.dcm: Actual Frame Duration \(0018,1242\) is absent"):
            factor(decay_correction="NONE", corrected_image=("ATTN",), frame_durations_ms=None)

    def test_none_beside_decy_is_a_reinterpretation(self):
        assert codes(decay_correction="NONE") == ["PP-SUV-DECY"]


class TestWeightAndDose:
    def test_grams(self):
        assert factor(weight_kg=70000.0) == pytest.approx(HOUR_DECAYED)
        assert codes(weight_kg=70000.0) == ["PP-SUV-GRAMS"]

    def test_megabecquerels(self):
        assert factor(dose_bq=368.08) == pytest.approx(HOUR_DECAYED)
        assert codes(dose_bq=368.08) == ["PP-SUV-MBQ"]

    @pytest.mark.parametrize(
        ("change", "warning"),
        [
            ({"weight_kg": 15.0}, r"15 kg, usual are 20 to 300"),
            ({"weight_kg": 320.0}, r"320 kg, usual"),
            ({"dose_bq": 30e6}, r"30 MBq, usual are 50 to 1000"),
            ({"dose_bq": 2e9}, r"2000 MBq, usual"),
        ],
    )
    def test_unusual_values_are_taken_with_a_warning(self, change, warning):
        scaling = suv_scaling(header(**change))
        assert scaling.notes == ()
        assert warning in scaling.warnings[0]

    @pytest.mark.parametrize("weight", [None, 0.0, -70.0, nan, inf])
    def test_weight_refused(self, weight):
        with pytest.raises(SuvError, match=r"Patient's Weight \(0010,1030\) is .*weight_kg in the manifest"):
            factor(weight_kg=weight)

    @pytest.mark.parametrize("dose", [None, 0.0, -1e6, nan, inf])
    def test_dose_refused(self, dose):
        with pytest.raises(SuvError, match=r"Radionuclide Total Dose \(0018,1074\) is .*dose_bq in the manifest"):
            factor(dose_bq=dose)

    @pytest.mark.parametrize("half_life", [None, 0.0, -6586.2, 109.77, 4062.6])
    def test_half_life_refused(self, half_life):
        with pytest.raises(SuvError, match=r"Radionuclide Half Life \(0018,1075\) is .*F-18 has 6586.2 s"):
            factor(half_life_s=half_life)

    @pytest.mark.parametrize("half_life", [6586.2, 6588.0, 6600.0, 6584.0])
    def test_rounded_half_lives_of_fluorine(self, half_life):
        scaling = suv_scaling(header(half_life_s=half_life))
        assert scaling.half_life_s == half_life
        assert scaling.warnings == ()

    @pytest.mark.parametrize(
        ("nuclide", "half_life"),
        [
            (("35337001",), 4057.7),
            (("Ga68-PSMA",), 4062.6),
            (("^11^Carbon",), 1223.0),
            (("[18F]PSMA-1007",), 6586.2),
            (("C-107A1", "13N"), 598.0),
            (("^68^Germanium",), 23400000.0),
        ],
    )
    def test_nuclides_by_code_and_by_name(self, nuclide, half_life):
        scaling = suv_scaling(header(nuclide=nuclide, half_life_s=half_life, injection_datetime="20250101105500"))
        assert scaling.half_life_s == half_life
        assert scaling.warnings == ()

    def test_contradicting_names_are_settled_by_the_half_life_with_a_warning(self):
        """DRO_5_0: the code C-131A1 is Ga-66, its meaning says 68 Gallium."""
        scaling = suv_scaling(header(nuclide=("C-131A1", "^68^Gallium"), half_life_s=4057.7))
        assert "names Ga-66 and Ga-68" in scaling.warnings[0]

    def test_unnamed_nuclide_must_still_be_a_known_one(self):
        assert "no known nuclide" in suv_scaling(header(nuclide=())).warnings[0]
        with pytest.raises(SuvError, match=r"is 5000 s, expected that of a positron emitter"):
            factor(nuclide=(), half_life_s=5000.0)


class TestRefusals:
    @pytest.mark.parametrize("slope", [0.0, nan, inf, -1.0])
    def test_slope(self, slope):
        with pytest.raises(SuvError, match=r"file 001.dcm: Rescale Slope \(0028,1053\) is "):
            factor(slopes=[1.0, slope])

    def test_intercept(self):
        with pytest.raises(SuvError, match=r"file 001.dcm: Rescale Intercept \(0028,1052\) is -1024, expected 0"):
            factor(intercepts=[0.0, -1024.0])

    def test_attenuation(self):
        with pytest.raises(SuvError, match=r"Corrected Image \(0028,0051\) lacks ATTN, got DECY, SCAT"):
            factor(corrected_image=("DECY", "SCAT"))

    @pytest.mark.parametrize("decay", ["START", "ADMIN"])
    def test_decay_not_corrected(self, decay):
        with pytest.raises(SuvError, match=rf"lacks DECY, got ATTN, though .*\(0054,1102\) is {decay}"):
            factor(corrected_image=("ATTN",), decay_correction=decay)

    @pytest.mark.parametrize(("decay", "found"), [("LATER", "is 'LATER'"), (None, "is absent")])
    def test_decay_correction(self, decay, found):
        with pytest.raises(SuvError, match=rf"\(0054,1102\) {found}, expected START, ADMIN, NONE"):
            factor(decay_correction=decay)

    def test_decay_correction_may_be_absent_where_the_voxels_are_normalised(self):
        scaling = suv_scaling(header(units="GML", decay_correction=None))
        assert scaling.factors[0] == 1.0
        assert "(0054,1102) is absent" in scaling.warnings[0]

    @pytest.mark.parametrize(("units", "found"), [("PROPCNTS", "is PROPCNTS"), ("CPS", "is CPS"), (None, "is absent")])
    def test_units(self, units, found):
        with pytest.raises(SuvError, match=rf"\(0054,1001\) {found}, supported are BQML, GML, CM2ML, CNTS"):
            factor(units=units)

    @pytest.mark.parametrize(("suv_type", "units"), [("BSA", "GML"), ("XYZ", "GML"), ("BW", "CM2ML")])
    def test_suv_type(self, suv_type, units):
        with pytest.raises(SuvError, match=rf"\(0054,1006\) is {suv_type} with Units {units}"):
            factor(units=units, suv_type=suv_type)

    def test_lean_mass_below_zero(self):
        with pytest.raises(SuvError, match=r"LBM is -.* kg for 250 kg and 1.2 m"):
            factor(units="GML", suv_type="LBM", weight_kg=250.0, height_m=1.2)

    @pytest.mark.parametrize("height", [None, 0.0, 175.0])
    @pytest.mark.parametrize("units", ["CM2ML", "GML"])
    def test_height(self, height, units):
        with pytest.raises(SuvError, match=r"Patient's Size \(0010,1020\) is .*height_m in the manifest"):
            factor(units=units, suv_type={"GML": "LBM", "CM2ML": None}[units], height_m=height)

    @pytest.mark.parametrize("sex", [None, "", "X"])
    def test_sex(self, sex):
        with pytest.raises(SuvError, match=r"Patient's Sex \(0010,0040\) is .*sex in the manifest"):
            factor(units="GML", suv_type="IBW", sex=sex)

    @pytest.mark.parametrize("direct", [None, 0.0])
    def test_counts_without_a_factor(self, direct):
        with pytest.raises(SuvError, match=r"\(7053,1000\) and .*\(7053,1009\) are both absent or 0"):
            factor(units="CNTS", philips_suv_factor=direct)

    def test_counts_whose_factors_disagree(self):
        with pytest.raises(SuvError, match=r"\(7053,1000\) gives .*they may differ by 1 %"):
            factor(units="CNTS", philips_suv_factor=0.5 * HOUR_DECAYED * 1.02, philips_activity_factor=0.5)


class TestManifest:
    @pytest.mark.parametrize(
        ("lacking", "supplied"),
        [
            ({"weight_kg": None}, {"weight_kg": 70}),
            ({"weight_kg": 0.0}, {"weight_kg": "70"}),
            ({"dose_bq": None}, {"dose_bq": DOSE}),
            ({"half_life_s": None}, {"half_life_s": HALF_LIFE_S}),
            ({"injection_datetime": None, "injection_time": None}, {"injection_time": "10:00"}),
            ({"injection_datetime": "20250101010101"}, {"injection_time": "2025-01-01T10:00:00"}),
            ({"injection_datetime": "20250101010101"}, {"injection_time": "100000"}),
        ],
    )
    def test_supplies_what_a_header_lacks_even_with_strict(self, lacking, supplied):
        scaling = suv_scaling(header(**lacking), strict=True, overrides=supplied)
        assert scaling.factors[0] == pytest.approx(HOUR_DECAYED)
        assert [(note.code, note.by_user) for note in scaling.notes] == [("PP-SUV-MANIFEST", True)]

    def test_supplies_height_and_sex(self):
        scaling = suv_scaling(
            header(units="GML", suv_type="IBW", height_m=None, sex=None), overrides={"height_m": 1.75, "sex": "F"}
        )
        assert scaling.factors[0] == pytest.approx(70 / (45.5 + 0.91 * 23))

    def test_unknown_name(self):
        with pytest.raises(SuvError, match="mass_kg: is no value the manifest can supply; those are weight_kg"):
            suv_scaling(header(), overrides={"mass_kg": 70})

    def test_text_for_a_number(self):
        with pytest.raises(SuvError, match="weight_kg must be a number, got 'heavy'"):
            suv_scaling(header(), overrides={"weight_kg": "heavy"})


class TestStrict:
    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"weight_kg": 70000.0}, "PP-SUV-GRAMS"),
            ({"dose_bq": 368.08}, "PP-SUV-MBQ"),
            ({"injection_datetime": "20250102100000"}, "PP-SUV-DATE"),
            ({"injection_datetime": "20250101233000", "acquisition_times": ("003000",) * 2}, "PP-SUV-MIDNIGHT"),
            ({"units": "CNTS", "philips_suv_factor": 0.0, "philips_activity_factor": 1.0}, "PP-SUV-PHILIPS"),
            ({"decay_correction": "NONE"}, "PP-SUV-DECY"),
        ],
    )
    def test_refuses_every_reinterpretation(self, change, code):
        night = {"series_time": "003000"} if "acquisition_times" in change else {}
        with pytest.raises(SuvError, match=rf"strict refuses what would be reinterpreted: \[{code}\]"):
            suv_scaling(header(**change, **night), strict=True)

    def test_passes_a_clean_header(self):
        assert suv_scaling(header(), strict=True).notes == ()


class TestRecord:
    def test_a_note_tells_tag_values_and_reason(self):
        note = suv_scaling(header(weight_kg=70000.0)).notes[0]
        assert str(note) == "(0010,1030) 70000 taken as 70 kg: it is in grams"
        assert note.to_json() == {
            "code": "PP-SUV-GRAMS",
            "tag": "(0010,1030)",
            "found": "70000",
            "used": "70 kg",
            "why": "it is in grams",
            "by_user": False,
        }

    def test_facts_come_back_corrected(self):
        scaling = suv_scaling(header(weight_kg=70000.0, dose_bq=368.08))
        assert (scaling.weight_kg, scaling.dose_bq, scaling.uptake_s) == (70.0, pytest.approx(DOSE), 3600.0)
        assert scaling.injection_time == datetime(2025, 1, 1, 10)

    def test_uptake_is_told_where_the_conversion_did_not_need_it(self):
        assert suv_scaling(header(units="GML")).uptake_s == 3600.0
        assert suv_scaling(header(units="GML", acquisition_times=())).uptake_s is None

    def test_the_header_is_not_changed(self):
        before = header()
        suv_scaling(before, overrides={"weight_kg": 80})
        assert replace(before).weight_kg == 70.0
        with pytest.raises(ValueError, match="read-only"):
            before.slopes[0] = 2.0
