"""What was done and what came out, in a few sentences and figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pointpet.evaluate.classification import Interval, wilson_interval
from pointpet.report.study_folder import Study, numbers, value_or_none
from pointpet.report.wording import listing, method_title, number, percent, share, signed, with_interval

BASELINE = "cam_alone"


@dataclass(frozen=True)
class ClassHeadline:
    """The main figures of one class, written out; a dash where a figure does not exist."""

    label: str
    cases: int
    dice: str
    baseline: str
    gain: str
    hit: str
    named_right: str


def reference_method(study: Study) -> str:
    """The method that the report is about."""
    return study.methods[0]


def class_headlines(study: Study) -> list[ClassHeadline]:
    """The main figures of each class."""
    return [_class_headline(study, label) for label in study.labels]


def answer_sentences(study: Study) -> list[str]:
    """The answer first: a few words a class, on overlap, localisation and class."""
    answers = [(label, _answer(study, label)) for label in study.labels]
    return [f"In {label}, {answer}" for label, answer in answers if answer]


def what_was_done(study: Study) -> str:
    """One paragraph in plain words."""
    cohort = study.record["cohort"]
    classes = listing([f"{count} {label}" for label, count in sorted(cohort["by_label"].items())])
    names = listing([method_title(name) for name in study.methods])
    what = "simulated scans (digital phantoms, no patients)" if is_phantom(study) else "scans"
    text = (
        f"Methods of finding and outlining tumours in FDG-PET were compared on {cohort['cases']} "
        f"{what} of {cohort['patients']} {'virtual ' if is_phantom(study) else ''}patients ({classes}): {names}. "
        f"The cohort was cut into {study.record['folds']} folds by patient; each case was answered by models that had "
        "seen no scan of that patient, and all methods were tested on the same folds."
    )
    if is_flat(study):
        text += (
            " The scans are ready-made MIP images: every Dice, distance and area here is two-dimensional, the mean "
            "over the views where there are two."
        )
    reference = next(m for m in study.record["methods"] if m["name"] == reference_method(study))
    name, training, testing = (reference[key] for key in ("name", "training_input", "test_input"))
    return (
        f"{text} {_sentence(phrase(name))} is given {_given(training)} of each training case, and {_given(testing)} of "
        "a test case beside the scan itself."
    )


def is_phantom(study: Study) -> bool:
    """True where the cohort is simulated."""
    return study.record["cohort"].get("source") == "phantom"


def is_flat(study: Study) -> bool:
    """True where every case is a ready-made MIP image, so that all figures are two-dimensional."""
    return study.record["cohort"].get("pictures") == study.record["cohort"]["cases"]


def row_of(study: Study, label: str, method: str) -> dict[str, Any]:
    """A method's row of a class's table; empty where it has none."""
    return next((dict(row) for row in study.tables[label].to_dict("records") if row["method"] == method), {})


def mean_interval_of(row: dict[str, Any], measure: str) -> Interval | None:
    """Mean over folds with its interval, as the table holds them."""
    mean, low, high = (value_or_none(row.get(f"{measure}_{name}")) for name in ("mean", "lo", "hi"))
    return None if mean is None or low is None or high is None else Interval(mean, low, high)


def hit_interval(study: Study, method: str, label: str, column: str = "hit") -> Interval | None:
    """Share of cases whose peak hits, with Wilson's interval."""
    hits = numbers(study.cases(method, label), column)
    return wilson_interval(int(hits.sum()), len(hits))


def right_interval(study: Study, method: str, label: str | None = None) -> Interval | None:
    """Share of cases whose class was named right, with Wilson's interval."""
    rows = study.named(method)
    truth, predicted = rows["truth"].to_numpy(str), rows["predicted"].to_numpy(str)
    chosen = truth == label if label is not None else truth == truth
    return wilson_interval(int((truth == predicted)[chosen].sum()), int(chosen.sum()))


def gain_of(study: Study, label: str, method: str) -> Interval | None:
    """Mean Dice of the reference method minus that of `method`, paired."""
    for row in study.compared("dice").to_dict("records"):
        if row["label"] == label and row["method_b"] == method:
            return Interval(float(row["difference"]), float(row["lo"]), float(row["hi"]))
    return None


def _class_headline(study: Study, label: str) -> ClassHeadline:
    reference = reference_method(study)
    gain = gain_of(study, label, BASELINE)
    return ClassHeadline(
        label=label,
        cases=study.record["cohort"]["by_label"][label],
        dice=with_interval(mean_interval_of(row_of(study, label, reference), "dice")),
        baseline=with_interval(mean_interval_of(row_of(study, label, BASELINE), "dice")),
        gain="–" if gain is None else f"{signed(gain.value)} ({number(gain.low)} to {number(gain.high)})",
        hit=share(hit_interval(study, reference, label)),
        named_right=share(right_interval(study, reference, label)),
    )


def _answer(study: Study, label: str) -> str:
    reference = reference_method(study)
    own = mean_interval_of(row_of(study, label, reference), "dice")
    hit, right = hit_interval(study, reference, label), right_interval(study, reference, label)
    found = []
    if hit is not None:
        found.append(f"the map's peak lies within 16 mm of the tumour in {percent(hit.value)} of cases")
    if right is not None:
        found.append(f"the class is named right in {percent(right.value)}")
    if own is None:
        return f"{listing(found)}." if found else ""
    text = f"the masks of {phrase(reference)} reach a mean Dice of {with_interval(own)}{_beside(study, label)}."
    text = " ".join([text, *_better(study, label)])
    return f"{text} {_sentence(listing(found))}." if found else text


def _beside(study: Study, label: str) -> str:
    """How the reference method's Dice stands to that of the activation maps alone."""
    baseline = mean_interval_of(row_of(study, label, BASELINE), "dice")
    gain = gain_of(study, label, BASELINE)
    if baseline is None or gain is None or reference_method(study) == BASELINE:
        return ""
    size = f"{number(abs(gain.value))} ({number(gain.low)} to {number(gain.high)})"
    verdict = "no clear difference," if gain.low <= 0 <= gain.high else "a gain of" if gain.value > 0 else "a loss of"
    return f", class activation maps alone {number(baseline.value)}: {verdict} {size}"


def _better(study: Study, label: str) -> list[str]:
    """A sentence on each method with a higher Dice than the reference method: by how much, and what it is given."""
    records = {record["name"]: record for record in study.record["methods"]}
    gains = {name: gain_of(study, label, name) for name in study.methods if name != BASELINE}
    ahead = {name: gain for name, gain in gains.items() if gain is not None and gain.value < 0}
    return [
        _better_sentence(records[name], mean_interval_of(row_of(study, label, name), "dice"), gain)
        for name, gain in sorted(ahead.items(), key=lambda item: item[1].value)
    ]


def _better_sentence(record: Mapping[str, Any], dice: Interval | None, gain: Interval) -> str:
    """`gain` is that of the reference method, below 0."""
    size = f"{number(-gain.value)} ({number(-gain.high)} to {number(-gain.low)})"
    verdict = f"{size} more" if gain.high < 0 else f"more by {size}, no clear difference"
    given = (
        [f"learns from {_given(record['training_input'])} of each training case"]
        if "mask" in record["training_input"]
        else []
    )
    given += (
        [f"needs {_given(record['test_input'])} on each test case".replace("the one", "one")]
        if record["test_input"] != "none"
        else []
    )
    reached = f"{method_title(record['name'])} reaches {number(None if dice is None else dice.value)}, {verdict}"
    return f"{reached}; it {listing(given) or 'is given no more'}."


def phrase(method: str) -> str:
    """A method's name inside a sentence."""
    return "the proposed method" if method == "proposed" else method_title(method)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _given(inputs: str) -> str:
    return "nothing" if inputs == "none" else f"the {inputs.replace(' + ', ' and ')}"
