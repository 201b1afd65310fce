from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier

from pointpet.core import Candidates, ConfigError, Faults, ModelError
from pointpet.learn import candidate_forest
from pointpet.learn.candidate_forest import (
    NO_LESION,
    CandidateForest,
    ClickedCandidates,
    fit_forest,
    found_clicks,
    shortage,
)
from pointpet.learn.candidate_settings import CandidateSettings
from pointpet.learn.forest_arrays import joined_trees

CLASSES = ("lung", "oesophagus")
QUICK = CandidateSettings(trees=20)


def cases(count: int, *, labels: tuple[str, ...] = CLASSES, seed: int = 0) -> list[ClickedCandidates]:
    """Twenty candidates a case; the clicked one has a high first feature, whose second says the class."""
    random = np.random.default_rng(seed)
    made = []
    for index in range(count):
        label = labels[index % len(labels)]
        places = random.uniform(0, 400, (20, 3))
        features = random.normal(0, 1, (20, 4)).astype(np.float32)
        clicked = label != "control"
        if clicked:
            features[0, :2] = 6.0, 4.0 if label == "lung" else -4.0
        made.append(
            ClickedCandidates(Candidates(places, features), label, places[:1] + 3 if clicked else np.zeros((0, 3)))
        )
    return made


def fitted(classes: tuple[str, ...] = CLASSES, **other) -> CandidateForest | None:
    arguments = {"classes": classes, "lesion_free": (), "seed": 0} | other
    return fit_forest(cases(60, labels=classes), QUICK, **arguments)


def test_it_learns_which_candidate_is_the_lesion_and_of_which_class() -> None:
    forest = fitted()
    assert forest is not None
    for case in cases(20, seed=5):
        shares = forest.probabilities(case.candidates.features)
        np.testing.assert_allclose(shares.sum(1), 1, atol=1e-6)
        lesion = 1 - shares[:, NO_LESION]
        assert lesion.argmax() == 0
        assert shares[0, 1:].argmax() == CLASSES.index(case.label)


def test_its_arrays_answer_as_scikit_learn_does() -> None:
    random = np.random.default_rng(1)
    features, targets = random.normal(size=(300, 5)).astype(np.float32), random.integers(0, 3, 300)
    features[::4, 1] = np.nan
    reference = ExtraTreesClassifier(15, min_samples_leaf=2, random_state=0).fit(features, targets)
    ours = CandidateForest(joined_trees(reference, 3))
    unseen = random.normal(size=(80, 5)).astype(np.float32)
    unseen[::3, 2] = np.nan
    np.testing.assert_allclose(ours.probabilities(unseen), reference.predict_proba(unseen), atol=1e-6)


def test_a_forest_survives_its_tensors() -> None:
    forest = fitted()
    assert forest is not None
    again = CandidateForest.from_tensors(forest.tensors(), classes=2, features=4)
    features = cases(1)[0].candidates.features
    np.testing.assert_array_equal(again.probabilities(features), forest.probabilities(features))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda arrays: arrays.pop("left"), "lacks left"),
        (lambda arrays: arrays.update(share=arrays["share"][:, :2]), "has arrays of the shapes"),
        (lambda arrays: arrays.update(root=arrays["root"] + 10**6), "holds root outside 0 to"),
        (lambda arrays: arrays.update(feature=arrays["feature"] + 4), "holds feature outside -1 to 3"),
        (lambda arrays: arrays.update(left=arrays["left"] * 0 - 1), "asks a feature but lacks a child"),
        (lambda arrays: arrays.update(right=arrays["right"] * 0 - 1), "asks a feature but lacks a child"),
        (lambda arrays: arrays.update(threshold=arrays["threshold"] * np.nan), "holds a threshold that is no finite"),
        (lambda arrays: arrays.update(share=arrays["share"] + np.inf), "holds a share that is no finite number"),
    ],
)
def test_damaged_tensors_are_refused(change, text: str) -> None:
    forest = fitted()
    assert forest is not None
    arrays = forest.tensors()
    change(arrays)
    with pytest.raises(ModelError, match=text):
        CandidateForest.from_tensors(arrays, classes=2, features=4)


def likeliest(forest: CandidateForest, made: list[ClickedCandidates]) -> np.ndarray:
    """Of each case, how lesion-like its likeliest candidate is."""
    return np.array([1 - forest.probabilities(case.candidates.features)[:, NO_LESION].min() for case in made])


def blurred(count: int, seed: int) -> list[ClickedCandidates]:
    """Cases whose lesions stand out from not at all to clearly."""
    random = np.random.default_rng(seed)
    made = []
    for case in cases(count, seed=seed):
        features = case.candidates.features.copy()
        features[0, :2] *= random.uniform(0.3, 1)
        made.append(replace(case, candidates=Candidates(case.candidates.world_mm, features)))
    return made


def test_it_knows_how_lesion_like_nearly_all_clicked_cases_are() -> None:
    forest = fit_forest(blurred(200, 0), CandidateSettings(trees=60), classes=CLASSES, lesion_free=(), seed=0)
    assert forest is not None
    assert forest.unlike_below is not None
    alike = (likeliest(forest, blurred(200, 1)) < forest.unlike_below).mean()
    assert 0.01 <= alike <= 0.12, "about a twentieth of new cases of the same kind"
    healthy = cases(100, labels=("control",), seed=2)
    assert (likeliest(forest, healthy) < forest.unlike_below).mean() > 0.6
    # Judged by trees that have seen it no training case would be unlike the others.
    assert (likeliest(forest, blurred(200, 0)) < forest.unlike_below).mean() < 0.02


def test_where_every_tree_has_seen_every_click_nothing_is_known_to_be_unlike() -> None:
    one = CandidateSettings(trees=1, least_clicks=1)
    forests = [fit_forest(cases(2), one, classes=CLASSES, lesion_free=(), seed=seed) for seed in range(8)]
    known = [forest is not None and forest.unlike_below is not None for forest in forests]
    assert any(known)
    assert not all(known)


@pytest.mark.parametrize("value", [-0.1, 1.5, float("nan")])
def test_a_share_that_is_none_is_refused(value: float) -> None:
    forest = fitted()
    assert forest is not None
    with pytest.raises(ModelError, match=rf"holds an unlike_below of {value:g}, expected 0 to 1"):
        CandidateForest.from_tensors(forest.tensors(), classes=2, features=4, unlike_below=value)


def test_the_seed_decides() -> None:
    one, two, three = (fitted(seed=seed) for seed in (0, 0, 1))
    assert one is not None
    assert two is not None
    assert three is not None
    assert all(np.array_equal(one.tensors()[name], two.tensors()[name]) for name in one.tensors())
    assert not np.array_equal(one.tensors()["threshold"], three.tensors()["threshold"])


def test_lesions_that_nobody_clicked_are_not_punished(monkeypatch) -> None:
    """Each case holds two more lesions like the clicked one, far from it."""
    made = [replace(case, candidates=with_first_lesion_again(case.candidates)) for case in cases(60)]
    unclicked = 60 * 2
    every, certain = (fit_forest(made, QUICK, classes=CLASSES, lesion_free=(), seed=0) for _ in patched(monkeypatch))
    assert every is not None
    assert certain is not None
    assert every.learned_from[NO_LESION] - certain.learned_from[NO_LESION] >= 0.4 * unclicked
    before, after = (
        np.mean([1 - forest.probabilities(case.candidates.features)[1:3, NO_LESION] for case in made])
        for forest in (every, certain)
    )
    assert after > before + 0.1


@pytest.mark.parametrize("trees", [5, 100])
def test_a_forest_that_knows_no_lesion_leaves_nothing_out(trees: int) -> None:
    random = np.random.default_rng(2)
    noise = [
        replace(case, candidates=Candidates(case.candidates.world_mm, random.normal(size=(20, 4)).astype(np.float32)))
        for case in cases(30)
    ]
    forest = fit_forest(noise, CandidateSettings(trees=trees), classes=CLASSES, lesion_free=(), seed=0)
    assert forest is not None
    assert forest.learned_from[NO_LESION] > 500


def patched(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """First nothing is lesion-like enough to be left out, then as it is."""
    with monkeypatch.context() as context:
        context.setattr(candidate_forest, "LEAST_LESION_LIKE", 2.0)
        yield
    yield


def with_first_lesion_again(found: Candidates) -> Candidates:
    features = found.features.copy()
    features[1:3] = features[0] + np.random.default_rng(int(features[3, 0] * 1e6) % 97).normal(0, 0.3, (2, 4))
    return Candidates(found.world_mm, features)


def test_what_is_physiological_is_drawn_from_where_there_is_very_much(monkeypatch) -> None:
    monkeypatch.setattr(candidate_forest, "MOST_NONE", 100)
    forest = fitted()
    assert forest is not None
    assert forest.learned_from[NO_LESION] == 100


def test_too_few_clicks_give_no_forest() -> None:
    assert fit_forest(cases(18), QUICK, classes=CLASSES, lesion_free=(), seed=0) is None
    assert fit_forest(cases(20), QUICK, classes=CLASSES, lesion_free=(), seed=0) is not None


def test_a_shortage_says_what_there_is_too_little_of() -> None:
    few = shortage(cases(19), QUICK, classes=CLASSES, lesion_free=())
    assert few == "too little to learn from: 9 of 10 clicks of class oesophagus with a candidate near"
    assert shortage(cases(20), QUICK, classes=CLASSES, lesion_free=()) == ""
    clicked_alone = [replace(case, candidates=first_candidate(case)) for case in cases(20)]
    assert shortage(clicked_alone, QUICK, classes=CLASSES, lesion_free=()) == (
        "too little to learn from: 0 of 10 candidates that are no lesion"
    )
    controls = cases(20, labels=("lung", "control"))
    assert shortage(controls, QUICK, classes=("control", "lung"), lesion_free=("control",)) == ""


def first_candidate(case: ClickedCandidates) -> Candidates:
    return Candidates(case.candidates.world_mm[:1], case.candidates.features[:1])


def test_several_candidates_near_one_click_are_one_lesion() -> None:
    crowded = [
        ClickedCandidates(
            Candidates(
                np.concatenate([case.candidates.world_mm, case.points_mm + 2]),
                np.concatenate([case.candidates.features, case.candidates.features[:1]]),
            ),
            case.label,
            np.concatenate([case.points_mm, [[900.0, 900.0, 900.0]]]),
        )
        for case in cases(18)
    ]
    assert found_clicks(crowded, QUICK.near_mm) == {"lung": 9, "oesophagus": 9}
    assert fit_forest(crowded, QUICK, classes=CLASSES, lesion_free=(), seed=0) is None


def test_with_controls_the_unclicked_places_of_other_cases_are_not_taken_as_healthy() -> None:
    classes = ("control", "cancer")
    made = cases(60, labels=classes)
    unclicked = [
        ClickedCandidates(
            Candidates(case.candidates.world_mm, np.repeat(case.candidates.features[:1], 20, axis=0)),
            case.label,
            case.points_mm,
        )
        if case.label == "cancer"
        else case
        for case in made
    ]
    forest = fit_forest(unclicked, QUICK, classes=classes, lesion_free=("control",), seed=0)
    assert forest is not None
    # Nineteen of twenty lesions of a patient were never clicked and look the same: they must not pull the answer down.
    shares = forest.probabilities(unclicked[1].candidates.features)
    assert (shares[:, 2] > 0.9).all()


def test_settings_out_of_range_are_reported_together() -> None:
    with pytest.raises(ConfigError, match=r"candidates\.trees: must be 1 or more, got 0"):
        CandidateSettings(trees=0)
    with pytest.raises(Faults) as caught:
        CandidateSettings(leaf=0, near_mm=-1, far_mm=-2, least_clicks=0, weight=-1, class_share=-1, sigma_mm=0)
    assert len(caught.value.faults) == 7
