import base64
from dataclasses import replace

import pytest

from pointpet.report.gallery import build_gallery
from pointpet.report.study_folder import Study, read_study


@pytest.fixture
def found(study_template) -> Study:
    return read_study(study_template)


def test_worst_cases_come_first_and_the_proposed_method_before_others(found):
    gallery = build_gallery(found)
    assert gallery.total == gallery.shown == 120
    proposed = [card for card in gallery.cards if card.method == "proposed"]
    assert list(gallery.cards[:20]) == proposed
    dice = [float(card.dice) for card in proposed]
    assert dice == sorted(dice)


def test_pictures_are_embedded_whole(found):
    card = build_gallery(found).cards[0]
    original = next(a.picture for a in found.answers if (a.method, a.case_id) == (card.method, card.case_id))
    prefix = "data:image/png;base64,"
    assert card.picture.startswith(prefix)
    assert base64.b64decode(card.picture[len(prefix) :]) == original.read_bytes()


def test_the_budget_is_kept_and_shared(found):
    size = found.answers[0].picture.stat().st_size
    gallery = build_gallery(found, budget_bytes=size * 18)
    assert gallery.shown == 18
    assert gallery.total == 120
    counts = {name: (shown, total) for name, _, shown, total in gallery.counts}
    assert counts["proposed"] == (12, 20)
    assert [counts[name] for name in ("cam_alone", "suv25")] == [(2, 20), (1, 20)]


def test_one_method_may_use_the_whole_budget(found):
    alone = replace(
        found,
        segmentation=found.cases("proposed"),
        classification=found.named("proposed"),
        answers=tuple(answer for answer in found.answers if answer.method == "proposed"),
    )
    size = found.answers[0].picture.stat().st_size
    assert build_gallery(alone, budget_bytes=size * 18).shown == 18


def test_a_card_says_what_went_wrong(found):
    answer = replace(
        found.answers[0],
        label="lung",
        predicted="oesophagus",
        flags=("maps_disagree_on_z",),
        measures={"dice": 0.0, "distance_mm": 52.3},
    )
    card = build_gallery(replace(found, answers=(answer,))).cards[0]
    assert card.is_wrong
    assert card.named == "oesophagus"
    assert card.peak == "peak 52 mm off"
    assert card.flags == ("the two views' peaks lie at different heights",)
    inside = replace(answer, measures={"dice": None, "distance_mm": 0.0}, predicted=None, label=None)
    card = build_gallery(replace(found, answers=(inside,))).cards[0]
    assert (card.peak, card.dice, card.named, card.label, card.is_wrong) == ("peak inside", "–", "–", "–", False)


def test_cases_without_a_dice_are_ordered_by_false_positives(found):
    answers = tuple(
        replace(found.answers[index], case_id=f"C{index}", measures={"dice": None, "fp_ml": volume})
        for index, volume in enumerate((1.0, 50.0, 9.0))
    )
    gallery = build_gallery(replace(found, answers=answers))
    assert [card.case_id for card in gallery.cards] == ["C1", "C2", "C0"]


def test_a_study_without_pictures_has_an_empty_gallery(found):
    gallery = build_gallery(replace(found, answers=()))
    assert (gallery.shown, gallery.total, gallery.counts) == (0, 0, ())
