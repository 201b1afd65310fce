import json
import re
from dataclasses import replace

import numpy as np
import pytest

from pointpet.evaluate.classification import Interval
from pointpet.report import headline
from pointpet.report.study_folder import Study, read_study


@pytest.fixture
def found(study_template) -> Study:
    return read_study(study_template)


def only(study: Study, *methods: str) -> Study:
    """The study as if only these methods had run."""
    tables = {label: table[table["method"].isin(methods)] for label, table in study.tables.items()}
    record = {**study.record, "methods": [m for m in study.record["methods"] if m["name"] in methods]}
    return replace(
        study,
        record=record,
        tables=tables,
        segmentation=study.segmentation[study.segmentation["method"].isin(methods)],
        classification=study.classification[study.classification["method"].isin(methods)],
        comparisons=study.comparisons[study.comparisons["method_b"].isin(methods)],
    )


def test_the_answer_holds_the_tables_figures(found):
    sentence = headline.answer_sentences(found)[0]
    row = found.tables["lung"].set_index("method").loc["proposed"]
    assert sentence.startswith(
        f"In lung, the masks of the proposed method reach a mean Dice of {row['dice_mean']:.2f} "
        f"({row['dice_lo']:.2f} to {row['dice_hi']:.2f}), class activation maps alone"
    )
    assert ": a gain of 0." in sentence
    hits = found.cases("proposed", "lung")["hit"]
    assert f"within 16 mm of the tumour in {100 * hits.mean():.0f}\u00a0% of cases" in sentence


@pytest.mark.parametrize(
    ("low", "difference", "high", "words"),
    [
        (0.1, 0.2, 0.3, "a gain of 0.20 (0.10 to 0.30)"),
        (-0.1, 0.05, 0.2, "no clear difference, 0.05 (−0.10 to 0.20)"),
        (-0.3, -0.2, -0.1, "a loss of 0.20 (−0.30 to −0.10)"),
    ],
)
def test_a_difference_is_called_what_its_interval_allows(found, low, difference, high, words):
    table = found.comparisons.copy()
    table[["lo", "difference", "hi"]] = low, difference, high
    assert words in headline.answer_sentences(replace(found, comparisons=table))[0]


def test_without_activation_maps_alone_nothing_is_said_of_them(found):
    sentence = headline.answer_sentences(only(found, "proposed"))[0]
    assert "alone" not in sentence
    assert headline.class_headlines(only(found, "proposed"))[0].gain == "–"


@pytest.mark.parametrize(
    ("low", "difference", "high", "words"),
    [
        (-0.3, -0.2, -0.1, "0.20 (0.10 to 0.30) more; it needs one point on each test case."),
        (-0.1, -0.05, 0.2, "more by 0.05 (−0.20 to 0.10), no clear difference; it needs one point on each test case."),
    ],
)
def test_a_method_that_does_better_is_named_with_what_it_is_given(found, low, difference, high, words):
    table = found.comparisons.copy()
    chosen = (table["method_b"] == "click41") & (table["measure"] == "dice")
    table.loc[chosen, ["lo", "difference", "hi"]] = low, difference, high
    sentence = headline.answer_sentences(replace(found, comparisons=table))[0]
    dice = found.tables["lung"].set_index("method").loc["click41", "dice_mean"]
    assert f" Click and 41 % reaches {dice:.2f}, {words} The map" in sentence
    table.loc[chosen, "difference"] = 0.1
    assert "reaches" not in headline.answer_sentences(replace(found, comparisons=table))[0]


def test_a_method_that_learned_from_masks_is_said_to(found):
    table = found.comparisons.assign(lo=-0.3, difference=-0.2, hi=-0.1)
    methods = [m | {"training_input": "class label + mask"} if m["name"] == "suv40" else m for m in
               found.record["methods"]]  # fmt: skip
    study = replace(found, comparisons=table, record={**found.record, "methods": methods})
    sentence = headline.answer_sentences(study)[0]
    assert "more; it learns from the class label and mask of each training case." in sentence
    assert re.search(r"SUV 2.5 reaches 0.\d\d, 0.20 \(0.10 to 0.30\) more; it is given no more\.", sentence)


def test_methods_without_maps_or_classes_have_an_answer_too(found):
    sentence = headline.answer_sentences(only(found, "click41"))[0]
    assert sentence.startswith("In lung, the masks of Click and 41 % reach a mean Dice of 0.")
    assert "peak" not in sentence
    assert "named" not in sentence


def test_a_study_of_classes_alone_has_an_answer(found):
    frame = found.segmentation.copy()
    frame[["dice", "hit"]] = np.nan
    tables = {label: t.assign(dice_mean=np.nan, dice_lo=np.nan) for label, t in found.tables.items()}
    sentence = headline.answer_sentences(replace(found, segmentation=frame, tables=tables))[0]
    assert sentence.startswith("In lung, the class is named right in ")


def test_a_study_without_results_has_none(found):
    empty = replace(
        found,
        segmentation=found.segmentation.assign(dice=np.nan, hit=np.nan),
        classification=found.classification.iloc[:0],
        tables={label: table.assign(dice_mean=np.nan) for label, table in found.tables.items()},
    )
    assert headline.answer_sentences(empty) == []


def test_what_was_done(found):
    text = headline.what_was_done(found)
    assert "on 20 simulated scans (digital phantoms, no patients) of 20 virtual patients (10 lung and 10 oeso" in text
    assert "The proposed method is given the class label and one point of each training case, and nothing of" in text
    record = json.loads(json.dumps(dict(found.record)))
    record["cohort"]["source"] = "files"
    real = headline.what_was_done(replace(found, record=record))
    assert "on 20 scans of 20 patients" in real
    assert not headline.is_phantom(replace(found, record=record))


def test_shares(found):
    interval = headline.right_interval(found, "proposed", "lung")
    rows = found.named("proposed")
    lung = rows[rows["truth"] == "lung"]
    assert isinstance(interval, Interval)
    assert interval.value == pytest.approx((lung["predicted"] == "lung").mean())
    assert headline.right_interval(found, "suv25") is None
    assert headline.hit_interval(found, "suv25", "lung") is None
    assert headline.gain_of(found, "lung", "nothing") is None
    assert headline.row_of(found, "lung", "nothing") == {}


def test_a_blank_limit_is_no_interval():
    assert headline.mean_interval_of({"dice_mean": 0.5, "dice_lo": np.nan, "dice_hi": 0.6}, "dice") is None
