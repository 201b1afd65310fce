"""Network and candidates together, from arrays whose answer is known."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch

from pointpet.core import ActivationMap, Candidates, Flag, MipPair, ModelError, Plane, Unit, Volume
from pointpet.image.candidates import FEATURES
from pointpet.io.artefacts import read_json, write_json
from pointpet.learn import TrainedNetwork, TrainingSettings
from pointpet.learn.activation import Activation
from pointpet.learn.candidate_forest import CandidateForest, ClickedCandidates, fit_forest
from pointpet.learn.candidate_settings import CandidateSettings
from pointpet.learn.network import ViewNetworks
from pointpet.learn.onnx_export import onnx_graph
from pointpet.learn.onnx_network import OnnxNetwork
from pointpet.learn.settings import PICTURES_PRESET
from pointpet.localise.agreement import agreed_maps
from pointpet.localise.candidates import LEAST, WeightedCandidates
from pointpet.localise.settings import LocaliseSettings
from pointpet.methods.base import CaseInput, FitContext
from pointpet.methods.evidence import with_candidates
from pointpet.methods.fitted_weak import FittedWeakMethod, without_lesion
from pointpet.methods.proposed import build
from pointpet.methods.stored import FittedForest, read_stored
from pointpet.methods.weak import WeakMethod
from pointpet.pipeline.confidence import calibrate
from pointpet.project import project

SUV, DEPTH = FEATURES.index("log_suv"), FEATURES.index("depth_share")
PLACES = np.array([[20.0, 20.0, 20.0], [60.0, 40.0, 20.0]])


def stump(below: tuple[float, ...], above: tuple[float, ...]) -> CandidateForest:
    """One tree that asks whether a candidate's depth is over a half."""
    return CandidateForest(
        {
            "feature": np.array([DEPTH, -1, -1]),
            "threshold": np.array([0.5, 0, 0]),
            "left": np.array([1, -1, -1]),
            "right": np.array([2, -1, -1]),
            "unknown_left": np.array([True, False, False]),
            "share": np.array([below, below, above]),
            "root": np.array([0]),
        }
    )


def two_candidates(suv: tuple[float, float] = (1.0, 1.0)) -> Candidates:
    features = np.zeros((2, len(FEATURES)), np.float32)
    features[:, SUV] = np.log(suv)
    features[:, DEPTH] = 0.2, 0.8
    return Candidates(PLACES, features)


def views(label: str, values: tuple[float, float]) -> dict[Plane, ActivationMap]:
    """Maps of 4 mm cells that hold `values` at the two places."""
    found = {}
    for plane in Plane:
        cells = np.zeros((20, 20), np.float32)
        for place, value in zip(PLACES, values, strict=True):
            cells[round(place[plane.axis] / 4), round(place[2] / 4)] = value
        found[plane] = ActivationMap(cells, plane, label, 4.0, np.zeros(3))
    return found


def activation(probabilities: Mapping[str, float]) -> Activation:
    """Every class's maps know both places alike."""
    maps = {name: views(name, (0.5, 0.5)) for name in probabilities}
    return Activation(probabilities, maps[max(probabilities, key=probabilities.__getitem__)], maps)


def asked(forest: CandidateForest, network: Mapping[str, float], *, suv=(1.0, 1.0), lesion_free=(), **settings):
    return with_candidates(
        activation(network),
        two_candidates(suv),
        forest,
        CandidateSettings(**{"weight": 2.0} | settings),
        uptake_power=0.5,
        lesion_free=lesion_free,
    )


def test_the_better_candidate_names_the_class_of_two_and_the_maps_follow():
    forest = stump((0.4, 0.6, 0.0), (0.1, 0.0, 0.9))
    evidence = asked(forest, {"lung": 0.6, "oesophagus": 0.4})
    assert evidence.predicted == "oesophagus"
    odds = ((0.9 + LEAST) / (0.6 + LEAST)) ** 2 * np.sqrt((0.4 + LEAST) / (0.6 + LEAST))
    found = evidence.probabilities
    assert found["oesophagus"] / found["lung"] == pytest.approx(odds, rel=1e-5)
    assert {activation.class_name for activation in evidence.maps.values()} == {"oesophagus"}
    assert evidence.candidates is not None
    np.testing.assert_allclose(evidence.candidates.weights, [0.0, 1.0], atol=2e-3)
    assert evidence.candidates.weights.max() == 1.0
    np.testing.assert_array_equal(evidence.candidates.world_mm, PLACES)
    assert evidence.lesion_like == pytest.approx(0.9)


def test_a_candidate_of_more_uptake_speaks_louder():
    forest = stump((0.3, 0.7, 0.0), (0.25, 0.05, 0.7))
    evidence = asked(forest, {"lung": 0.5, "oesophagus": 0.5}, suv=(16.0, 4.0))
    assert evidence.lesion_like == pytest.approx(0.7), "of the candidate that wins, not of the likeliest"
    assert evidence.probabilities["lung"] == pytest.approx(2 / 3, rel=1e-5)


def test_of_three_classes_each_is_as_probable_as_its_best_candidate():
    forest = stump((0.2, 0.5, 0.3, 0.0), (0.1, 0.1, 0.0, 0.8))
    evidence = asked(forest, dict.fromkeys(("a", "b", "c"), 1 / 3))
    best = (np.array([0.5, 0.3, 0.8]) + LEAST) ** 2
    np.testing.assert_allclose(list(evidence.probabilities.values()), best / best.sum(), rtol=1e-5)
    assert evidence.predicted == "c"
    assert evidence.candidates is not None
    np.testing.assert_allclose(evidence.candidates.weights, [0.0, 1.0], atol=2e-3)
    assert evidence.candidates.weights.max() == 1.0


def test_with_a_class_free_of_lesions_the_networks_class_stands_and_the_maps_are_of_a_class_with_lesions():
    network = {"control": 0.7, "lung": 0.1, "oesophagus": 0.2}
    evidence = asked(stump((0.1, 0.0, 0.9, 0.0), (0.6, 0.0, 0.1, 0.3)), network, lesion_free=("control",))
    assert evidence.probabilities == pytest.approx(network)
    assert evidence.predicted == "control"
    assert {activation.class_name for activation in evidence.maps.values()} == {"oesophagus"}
    assert evidence.candidates is not None
    np.testing.assert_allclose(evidence.candidates.weights, [0.0, 1.0], atol=2e-3)
    assert evidence.candidates.weights.max() == 1.0


@pytest.mark.parametrize(("class_share", "named"), [(0.0, "oesophagus"), (1.0, "lung")])
def test_the_networks_word_counts_as_much_as_its_share_says(class_share: float, named: str):
    forest = stump((0.4, 0.6, 0.0), (0.1, 0.0, 0.9))
    evidence = asked(forest, {"lung": 0.9, "oesophagus": 0.1}, class_share=class_share)
    assert evidence.predicted == named
    other = asked(forest, {"lung": 0.1, "oesophagus": 0.9}, class_share=class_share)
    assert (other.probabilities == pytest.approx(evidence.probabilities)) == (class_share == 0)


def test_maps_are_made_to_agree_on_the_candidate_that_weighs_more():
    voxels = np.ones((20, 20, 20), np.float32)
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    volume = Volume(voxels, affine, Unit.SUVBW)
    mips = project(volume, pixel_mm=4.0)
    given = {
        plane: ActivationMap(found.values, plane, "lung", 4.0, mips.origin_mm)
        for plane, found in views("lung", (1.0, 0.8)).items()
    }
    settings = LocaliseSettings(uptake_power=0.0)
    first, second = ({plane: (round(p[plane.axis] / 4), round(p[2] / 4)) for plane in Plane} for p in PLACES)
    plain = agreed_maps(volume, given, settings)
    assert {plane: found.peak_cell for plane, found in plain.items()} == first
    weighted = agreed_maps(volume, given, settings, candidates=WeightedCandidates(PLACES, np.array([0.25, 1.0]), 8.0))
    assert {plane: found.peak_cell for plane, found in weighted.items()} == second
    # With its floor the first place keeps 1.1 * 1.1 * 0.25, the second 0.9 * 0.9; a map is its root.
    kept = weighted[Plane.CORONAL].values[first[Plane.CORONAL]]
    assert kept == pytest.approx(np.sqrt(1.21 * 0.25 / 0.81), rel=1e-4)


def clicked(index: int, label: str) -> ClickedCandidates:
    random = np.random.default_rng(index)
    features = random.normal(0, 1, (20, len(FEATURES))).astype(np.float32)
    features[0, :2] = 6.0, 4.0 if label == "lung" else -4.0
    places = random.uniform(0, 400, (20, 3))
    return ClickedCandidates(Candidates(places, features), label, places[:1])


def training_case(index: int, label: str) -> CaseInput:
    case = clicked(index, label)
    pixels = np.full((24, 24), 1.0, np.float32)
    pixels[4:7, 5 + 8 * (label == "lung")] = 9.0
    return CaseInput(
        case_id=f"C{index}",
        patient_id=f"P{index}",
        mips=MipPair(pixels, pixels, 8.0, np.zeros(3)),
        load_candidates=lambda: case.candidates,
        label=label,
        points_mm=case.points_mm,
        pixels={plane: np.array([[5.0, 5.0]]) for plane in Plane},
    )


@pytest.mark.parametrize("enabled", [False, True])
def test_candidates_that_are_switched_off_give_no_forest(enabled: bool, tmp_path):
    method = small_method(CandidateSettings(enabled=enabled, trees=3, least_clicks=1))
    cases = small_cohort(4)
    fitted = method.fit(cases, FitContext(seed=0, classes=("lung", "oesophagus")))
    assert (fitted.forest is not None) == enabled
    assert fitted.training_record["forest_trees"] == (3 if enabled else 0)
    fitted.save(tmp_path)
    record = read_json(tmp_path / "model.json")
    assert ("candidates" in record) == enabled
    assert ("no_forest" in record) != enabled
    assert (read_stored(tmp_path, "proposed").forest is not None) == enabled
    card = (tmp_path / "MODEL_CARD.md").read_text()
    assert ("| forest of candidates | 3 trees on 24 numbers" in card) == enabled
    if enabled:
        assert record["candidates"]["trees"] == 3
        assert record["candidates"]["unlike_below"] == fitted.forest.forest.unlike_below
        counts = dict(record["candidates"]["learned_from"])
        assert counts["lung"] >= 2
        assert counts["oesophagus"] >= 2
        kept = read_stored(tmp_path, "proposed").forest
        assert kept is not None
        assert list(kept.forest.learned_from) == list(counts.values())
        assert kept.forest.unlike_below == record["candidates"]["unlike_below"]


@pytest.mark.parametrize(
    ("settings", "pictures", "reason", "level"),
    [
        ({"enabled": False}, False, "switched off by candidates.enabled", "INFO"),
        ({}, True, "no training case has candidates, which are not looked for in ready-made pictures", "INFO"),
        (
            {"least_clicks": 3},
            False,
            "too little to learn from: 2 of 3 clicks of class lung with a candidate near, "
            "2 of 3 clicks of class oesophagus with a candidate near",
            "WARNING",
        ),
    ],
)
def test_a_model_without_a_forest_says_why(settings, pictures: bool, reason: str, level: str, tmp_path, caplog):
    training = TrainingSettings(
        epochs=1, input_mm=8.0, cam_stride=4, widths=(4,) * 8, validation_share=0, threads=1, batch_size=8
    )
    method = build(training, LocaliseSettings(), CandidateSettings(trees=3, **settings))
    cases = [training_case(index, ("lung", "oesophagus")[index % 2]) for index in range(4)]
    cases = [replace(case, load_candidates=None) for case in cases] if pictures else cases
    with caplog.at_level("INFO", logger="pointpet.methods.weak"):
        fitted = method.fit(cases, FitContext(seed=0, classes=("lung", "oesophagus")))
    assert [(line.levelname, line.getMessage()) for line in caplog.records if "forest" in line.getMessage()] == [
        (level, f"proposed: no forest of candidates: {reason}")
    ]
    fitted.save(tmp_path)
    assert read_json(tmp_path / "model.json")["no_forest"] == reason
    assert f"| forest of candidates | none: {reason} |" in (tmp_path / "MODEL_CARD.md").read_text()
    again = method.load(tmp_path)
    assert again.training_record["no_forest"] == reason
    again.save(tmp_path / "copy")
    assert read_json(tmp_path / "copy" / "model.json")["no_forest"] == reason


def test_a_model_that_does_not_know_what_is_unlike_its_training_is_read(tmp_path):
    method = small_method(CandidateSettings(trees=3, least_clicks=1))
    method.fit(small_cohort(4), CONTEXT).save(tmp_path)
    record = read_json(tmp_path / "model.json")
    del record["candidates"]["unlike_below"]
    write_json(tmp_path / "model.json", record)
    again = method.load(tmp_path)
    assert again.forest is not None
    assert again.forest.forest.unlike_below is None
    assert Flag.UNLIKE_TRAINING not in again.predict(scan_of(small_cohort(1)[0])).flags


def scan_of(case: CaseInput) -> CaseInput:
    """The case with a volume to outline something in."""
    volume = Volume(np.random.default_rng(3).gamma(2, 1, (24, 24, 24)).astype(np.float32), np.diag([8.0] * 3 + [1.0]))
    return replace(case, mips=project(volume, pixel_mm=8.0), load_volume=lambda: volume)


def test_a_lesion_less_like_those_of_the_training_than_nearly_all_of_them_is_flagged():
    """The scan's candidates are noise, but for one scan that has a training case's."""
    fitted = small_method(CandidateSettings(trees=30, least_clicks=1)).fit(small_cohort(20), CONTEXT)
    known = fitted.predict(scan_of(training_case(21, "oesophagus")))
    assert known.mask is not None
    assert Flag.UNLIKE_TRAINING not in known.flags
    found = clicked(22, "lung").candidates
    noise = Candidates(found.world_mm[1:], found.features[1:])
    other = replace(scan_of(training_case(22, "lung")), load_candidates=lambda: noise)
    assert Flag.UNLIKE_TRAINING in fitted.predict(other).flags
    assert Flag.UNLIKE_TRAINING not in without_lesion(fitted.predict(other)).flags, "there is none to be unlike"


def test_a_forest_of_other_features_is_refused_by_name(tmp_path):
    fitted = small_method(CandidateSettings(trees=3, least_clicks=1)).fit(small_cohort(4), CONTEXT)
    fitted.save(tmp_path)
    record = read_json(tmp_path / "model.json")
    record["candidates"]["features"].pop()
    write_json(tmp_path / "model.json", record)
    with pytest.raises(ModelError, match=rf"was learned from {len(FEATURES) - 1} features of another version"):
        read_stored(tmp_path, "proposed")


def test_a_forest_that_learned_from_candidates_sought_otherwise_is_refused(tmp_path):
    fitted = small_method(CandidateSettings(trees=3, least_clicks=1)).fit(small_cohort(4), CONTEXT)
    fitted.save(tmp_path)
    assert read_stored(tmp_path, "proposed").forest is not None
    record = read_json(tmp_path / "model.json")
    del record["candidates"]["sought"]  # as the versions did that sought plain maxima
    write_json(tmp_path / "model.json", record)
    with pytest.raises(ModelError, match="was learned from candidates sought as None, this version seeks them as"):
        read_stored(tmp_path, "proposed")


def test_a_forest_that_needs_the_clicks_of_the_cases_held_out_gives_no_confidence():
    cases = small_cohort(12)
    for least, known in ((6, False), (2, True)):
        method = small_method(CandidateSettings(trees=3, least_clicks=least), validation_share=0.34)
        fitted = method.fit(cases, CONTEXT)
        assert fitted.forest is not None
        assert method.held_out(cases, CONTEXT)
        assert (method.blinded(fitted, cases, CONTEXT) is not None) == known
        assert (calibrate(method, fitted, cases, CONTEXT) is not None) == known


def test_only_ready_made_pictures_have_their_grey_bent():
    method, of_controls = small_method(CandidateSettings(enabled=False)), replace(CONTEXT, lesion_free=("lung",))
    volumes = small_cohort(4)
    pictures = [replace(case, mips=replace(case.mips, origin_mm=None)) for case in volumes]
    found = [
        method.fit(cases, of_controls).network.settings for cases in (volumes, pictures, pictures[:3] + volumes[3:])
    ]
    assert [settings.gamma for settings in found] == [0.0, PICTURES_PRESET["gamma"], 0.0]


CONTEXT = FitContext(seed=0, classes=("lung", "oesophagus"))


def small_method(candidates: CandidateSettings, *, validation_share: float = 0.0) -> WeakMethod:
    training = TrainingSettings(
        epochs=1,
        input_mm=8.0,
        cam_stride=4,
        widths=(4,) * 8,
        validation_share=validation_share,
        threads=1,
        batch_size=8,
    )
    return build(training, LocaliseSettings(), candidates)


def small_cohort(count: int) -> list[CaseInput]:
    return [training_case(index, CONTEXT.classes[index % 2]) for index in range(count)]


@pytest.mark.slow
def test_torch_and_onnx_runtime_agree_on_a_model_with_a_forest():
    classes, settings = ("lung", "oesophagus"), TrainingSettings(input_mm=8.0, cam_stride=4, widths=(4,) * 8)
    torch.manual_seed(2)
    by_torch = TrainedNetwork(ViewNetworks(settings, 2).eval(), classes, settings, {})
    by_onnx = OnnxNetwork(onnx_graph(by_torch), by_torch.tensors(), by_torch.record)
    quick = CandidateSettings(trees=20)
    cases = [clicked(index, classes[index % 2]) for index in range(60)]
    forest = fit_forest(cases, quick, classes=classes, lesion_free=(), seed=0)
    assert forest is not None
    volume = Volume(np.random.default_rng(3).gamma(2, 1, (40, 40, 40)).astype(np.float32), np.diag([8.0] * 3 + [1.0]))
    case = CaseInput(
        "C",
        "P",
        mips=project(volume, pixel_mm=8.0),
        load_volume=lambda: volume,
        load_candidates=lambda: cases[0].candidates,
    )
    context = {"lesion_free": [], "preprocessing": {}}
    ours, theirs, alone = (
        FittedWeakMethod("proposed", network, LocaliseSettings(), context, found).predict(case)
        for network, found in (
            (by_onnx, FittedForest(forest, quick)),
            (by_torch, FittedForest(forest, quick)),
            (by_torch, None),
        )
    )
    assert ours.probabilities == pytest.approx(theirs.probabilities, abs=1e-4)
    assert abs(theirs.probabilities["lung"] - alone.probabilities["lung"]) > 1e-3, "the forest has a say"
    for plane in Plane:
        np.testing.assert_allclose(ours.maps[plane].values, theirs.maps[plane].values, atol=1e-3)
    assert ours.mask is not None
    assert theirs.mask is not None
    np.testing.assert_array_equal(ours.mask.voxels, theirs.mask.voxels)
