from dataclasses import fields

import numpy as np
import pytest

from pointpet.core import ConfigError, Faults
from pointpet.localise import RULES, LocaliseSettings, outline_names
from pointpet.localise.settings import CAP_SUV, FURTHER_SHARE, MANY_LESIONS


def test_every_setting_says_what_it_is():
    assert all(field.metadata["doc"] for field in fields(LocaliseSettings))


def test_outline_names_are_the_hull_rules_and_every_point_rule():
    assert set(outline_names()) == {"hull", "hull_suv", *RULES}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"outline": "magic"}, "localise.outline: must be one of hull, hull_suv, .*got 'magic'"),
        ({"point_rule": "hull"}, "localise.point_rule: must be one of suv25, .*got 'hull'"),
        ({"hull_threshold": 1.0}, "localise.hull_threshold: must lie over 0 and under 1, got 1.0"),
        ({"loose_threshold": 0.0}, "localise.loose_threshold: must lie over 0 and under 1, got 0.0"),
        ({"loose_threshold": 0.8}, "localise.loose_threshold: must not exceed hull_threshold .*got 0.8"),
        ({"share": float("nan")}, "localise.share: must lie over 0 and under 1, got nan"),
        ({"min_probability": 1.5}, "localise.min_probability: must lie from 0 to 1, got 1.5"),
        ({"extent_mm": 0.0}, "localise.extent_mm: must be over 0, got 0.0"),
        ({"snap_mm": -1.0}, "localise.snap_mm: must not be negative, got -1.0"),
        ({"max_lesions": -1}, "localise.max_lesions: must be 0 or more, got -1"),
        ({"uptake_cap": -1.0}, "localise.uptake_cap: must not be negative, got -1.0"),
    ],
)
def test_a_wrong_setting_is_named_with_its_value(changed, message):
    with pytest.raises(ConfigError, match=message):
        LocaliseSettings(**changed)


def test_all_faults_are_reported_together():
    with pytest.raises(Faults, match=r"localise: 3 faults") as caught:
        LocaliseSettings(outline="magic", share=2.0, max_lesions=-1)
    assert [fault.subject for fault in caught.value.faults] == [
        "localise.outline",
        "localise.share",
        "localise.max_lesions",
    ]


def test_controls_against_disease_have_many_lesions_and_hot_organs():
    settled = LocaliseSettings().for_cohort(("control",))
    assert (settled.max_lesions, settled.uptake_cap) == (MANY_LESIONS, CAP_SUV)
    assert (settled.peak_separation_mm, LocaliseSettings().for_cohort(()).peak_separation_mm) == (12.0, 24.0)
    assert LocaliseSettings(peak_separation_mm=30.0).for_cohort(("control",)).peak_separation_mm == 30.0
    assert (settled.peak_threshold, LocaliseSettings().for_cohort(()).peak_threshold) == (FURTHER_SHARE, 0.3)
    assert LocaliseSettings(peak_threshold=0.6).for_cohort(("control",)).peak_threshold == 0.6
    assert LocaliseSettings().for_cohort(()).max_lesions == 1
    assert LocaliseSettings().for_cohort(()).uptake_cap == 0
    given = LocaliseSettings(max_lesions=3, uptake_cap=9.0, peak_separation_mm=30.0, peak_threshold=0.6)
    assert given.for_cohort(("control",)) == given == given.for_cohort(())


def test_uptake_counts_up_to_the_cap():
    suv = np.array([-1.0, 1.0, 4.0, 25.0], np.float32)
    assert LocaliseSettings(uptake_cap=9.0).uptake_weight(suv).tolist() == [0.0, 1.0, 2.0, 3.0]
    assert LocaliseSettings().uptake_weight(suv).tolist() == [0.0, 1.0, 2.0, 5.0]
