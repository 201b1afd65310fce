"""Cards have every section of the template they follow, and each is filled."""

import re

import pytest

from pointpet.methods.model_card import NOT_PROVIDED, PHANTOM_NOTICE, SECTIONS, model_card

NETWORK = {
    "architecture": "eight-layer-cam",
    "classes": ["lung", "oesophagus"],
    "settings": {"input_mm": 6.0, "epochs": 60},
    "training": {"epochs": 60, "best_epoch": 41, "seconds": 90.5, "history": [1, 2]},
}
SPREAD = {"known": 3, "median": 61.5, "lo": 55.0, "hi": 70.0}
UNKNOWN = {"known": 0, "median": None, "lo": None, "hi": None}
COHORT = {
    "source": "phantom",
    "digest": "abc",
    "trained_on": "2026-11-25",
    "cases": 3,
    "patients": 3,
    "by_label": {"lung": 2, "oesophagus": 1},
    "pointed": 3,
    "acquisition": {
        "scans": 3,
        "measures": {"uptake_min": SPREAD, "glucose_mmol_l": UNKNOWN},
        "scanners": {"Maker A": 2, "not stated": 1},
        "voxels": {"4.00 x 4.00 x 3.00 mm": 3},
    },
}
EVALUATION = {
    "data": "Two phantoms.",
    "command": "python measure.py",
    "rows": [{"class": "lung", "cases": 2, "class_accuracy": 0.5, "dice": 0.71234}],
}


def sections(card: str) -> dict[str, str]:
    parts = re.split(r"^## (.+)$", card, flags=re.MULTILINE)[1:]
    return {title: body.strip() for title, body in zip(parts[::2], parts[1::2], strict=True)}


def card(**more: object) -> str:
    return model_card({"method": "proposed", "network": NETWORK, **more})


@pytest.mark.parametrize("more", [{}, {"cohort": COHORT}, {"cohort": COHORT, "evaluation": EVALUATION}])
def test_every_section_is_there_in_order_and_filled(more):
    found = sections(card(**more))
    assert list(found) == [*SECTIONS, "Settings"]
    assert all(found.values())
    assert "Not a medical device" in card(**more)


def test_it_says_what_the_record_knows():
    found = sections(card(cohort=COHORT, evaluation=EVALUATION))
    assert "| best_epoch | 41 |" in found["Model details"]
    assert "history" not in found["Model details"]
    assert "| scanners | Maker A (2), not stated (1) |" in found["Factors"]
    assert "| uptake_min | median 61.5, 55 to 70 (3 scans) |" in found["Factors"]
    assert f"| glucose_mmol_l | {NOT_PROVIDED} |" in found["Factors"]
    assert "| by class | lung (2), oesophagus (1) |" in found["Training data"]
    assert found["Evaluation data"] == "Two phantoms.\n\nCommand: `python measure.py`"
    assert found["Quantitative analyses"].splitlines()[-1] == "| lung | 2 | 0.500 | 0.712 |"
    assert "| input_mm | 6.0 |" in found["Settings"]


FOREST = {
    "settings": {"trees": 40, "near_mm": 16.0},
    "features": ["log_suv", "depth_share"],
    "trees": 40,
    "learned_from": [["no lesion", 512], ["lung", 31], ["oesophagus", 17]],
}


def test_it_says_whether_a_forest_is_part_of_the_model():
    found = sections(card(cohort=COHORT, candidates=FOREST))
    assert "| forest of candidates | 40 trees on 2 numbers of each place" in found["Model details"]
    learned = "| maxima of uptake the forest learned from | no lesion (512), lung (31), oesophagus (17) |"
    assert learned in found["Training data"]
    assert learned in sections(card(candidates=FOREST))["Training data"]
    assert "| candidates.near_mm | 16.0 |" in found["Settings"]
    without = card(cohort=COHORT)
    assert "| forest of candidates | none |" in without
    assert "the forest learned from" not in without
    assert "candidates." not in sections(without)["Settings"]


def test_a_forest_of_an_earlier_version_does_not_say_what_it_learned_from():
    earlier = {name: FOREST[name] for name in ("settings", "features")}
    found = sections(card(cohort=COHORT, candidates=earlier))
    assert f"| maxima of uptake the forest learned from | {NOT_PROVIDED} |" in found["Training data"]
    assert "a number of trees that is not in the record" in found["Model details"]


def test_what_is_not_known_is_said_to_be_so():
    found = sections(card())
    for title in ("Evaluation data", "Training data", "Quantitative analyses"):
        assert found[title].startswith(NOT_PROVIDED)
    assert "epoch 41" in found["Quantitative analyses"]


def test_a_model_of_phantoms_is_not_for_patients():
    marked = card(cohort=COHORT)
    assert marked.count(PHANTOM_NOTICE) == 2
    assert PHANTOM_NOTICE not in card(cohort={**COHORT, "source": "files"})
    assert "trying pointpet" in sections(marked)["Intended use"]
