"""What a run knows of its models: networks, the forest of candidates, how they were trained, a sentence a topic."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pointpet.image.candidates import FEATURES, KEPT
from pointpet.learn.settings import TrainingSettings
from pointpet.localise.candidates import LEAST, MAP_FLOOR
from pointpet.report.headline import is_flat
from pointpet.report.study_folder import Study
from pointpet.report.trained_as import (
    mirror_sentence,
    outcome_networks,
    section,
    selection_sentences,
    trained,
    training_sentences,
    unet_settings,
    view_settings,
)
from pointpet.report.wording import listing, method_title, percent

_FOREST_KEYS = {"enabled", "trees", "near_mm", "far_mm", "weight", "class_share", "sigma_mm"}
"""Settings that the sentences need; a study of another version may lack one."""

_COUNTED = re.compile(r"^(\d+) (?=of \d)")
"""The number at the head of what a fold lacked."""


@dataclass(frozen=True)
class ForestUse:
    """The proposed method's forest of candidates, as a run used it.

    Args:
        trees: of a fold's forest. with_forest, folds: folds that have one, and all that were trained.
    """

    trees: int
    with_forest: int
    folds: int


def forest_use(study: Study) -> ForestUse | None:
    """None where the proposed method worked by its network alone.

    A study that does not say which folds have a forest is taken at its settings.
    """
    proposed = next((method for method in trained(study) if method["name"] == "proposed"), None)
    settings = section(study, "candidates")
    if proposed is None or not settings.get("enabled"):
        return None
    counts = proposed.get("forest_trees")
    if counts is None:
        fitted = not is_flat(study) and section(study, "localise").get("agree", False)
        counts = [settings["trees"] if fitted else 0] * study.record["folds"]
    found = [count for count in counts if count]
    return ForestUse(max(found), len(found), len(counts)) if found else None


def no_forest_reasons(study: Study) -> tuple[str, ...]:
    """Why folds of the proposed method have no forest, each reason once; none where the study does not say.

    Folds that lack the same are told together: "8 to 9 of 10 clicks".
    """
    proposed = next((method for method in trained(study) if method["name"] == "proposed"), {})
    counts: dict[str, dict[str, set[int]]] = {}
    for reason in filter(None, proposed.get("no_forest", ())):
        head, colon, lacks = reason.partition(": ")
        shown = counts.setdefault(head + colon, {})
        for lack in lacks.split(", "):
            shown.setdefault(_COUNTED.sub("", lack), set()).update(map(int, _COUNTED.findall(lack)))
    return tuple(
        head + ", ".join(f"{_from_to(found)}{lack}" for lack, found in lacks.items()) for head, lacks in counts.items()
    )


def _from_to(found: set[int]) -> str:
    low, high = min(found, default=None), max(found, default=None)
    return "" if low is None else f"{low} " if low == high else f"{low} to {high} "


def has_distance_loss(study: Study) -> bool:
    """Whether a distance loss drew the proposed method's maps; so too where the settings are not on record."""
    training = section(study, "training")
    return training.get("distance") != "none" and training.get("distance_weight", 1.0) > 0


def uses_of_clicks(study: Study) -> list[str]:
    """Through what the clicks reached the proposed method."""
    loss = ["the distance loss"] if has_distance_loss(study) else []
    return loss + (["the forest of candidates"] if forest_use(study) is not None else [])


def gained_by(study: Study) -> str:
    """What the proposed method has over CAMs alone, as a clause."""
    uses = uses_of_clicks(study)
    if uses == ["the distance loss"]:
        return "the distance loss brings"
    if not uses:
        return "the clicks bring, of which this run made no use"
    return "the clicks bring, " + " and ".join(f"through {use}" for use in uses)


def model_facts(study: Study) -> dict[str, str]:
    """Topic to sentence, as `study_facts` gives them."""
    names, settings = {method["name"] for method in trained(study)}, view_settings(study)
    if not settings:
        return {}
    forest = forest_use(study)
    of_forest = " The forest learns from all training patients; nothing about it is chosen." if forest else ""
    return {
        "model": f"{_networks(study, settings)}{_forest(study, forest)}Sizes: {_sizes(study, forest)}.",
        "initialisation": f"Random from the seed ({study.record['seed']}); nothing was pre-trained.",
        "training": training_sentences(study),
        "selection": selection_sentences(study) + of_forest,
        "ensembling": f"{_ensembling(study, forest)} {mirror_sentence(study)}".rstrip(),
        "segmentation": "Automatic, by each method from the scan alone, unless its test input says otherwise.",
        "explainability": _explained(forest) if {"proposed", "cam_alone"} & names else "",
    }


def _networks(study: Study, settings: Mapping[str, TrainingSettings]) -> str:
    weak, fcn = settings.get("proposed") or settings.get("cam_alone"), settings.get("cam_fcn")
    parts = []
    if weak is not None:
        parts.append(
            f"An eight-layer convolutional network with {_pooling(weak)} sees each view at {weak.input_mm:g} mm; its "
            f"class activation maps [zhou] have cells of {weak.cell_mm:g} mm."
        )
    if "proposed" in settings:
        parts.append(f"The proposed method {_loss(study)}; both maps meet in 3D.")
    if fcn is not None:
        parts.append(
            f"{method_title('cam_fcn')}: an eight-layer network, fully convolutional, with {_pooling(fcn)} sees each "
            f"view at {fcn.input_mm:g} mm; its score maps have cells of {fcn.cell_mm:g} mm."
        )
    return " ".join([*parts, *_unet(study, settings), ""])


def _pooling(settings: TrainingSettings) -> str:
    if settings.pooled_share == 1:
        return "global average pooling"
    return f"the mean of the highest {percent(settings.pooled_share)} of a map's cells as class score"


def _loss(study: Study) -> str:
    training = section(study, "training")
    if not has_distance_loss(study):
        return "is trained on the classification loss alone, without the distance loss of its source [amyar]"
    return (
        f"adds to the classification loss a distance loss (reading “{training['distance']}”, weight "
        f"{training['distance_weight']:g}) that draws the map of the true class to the one point [amyar]"
    )


def _unet(study: Study, settings: Mapping[str, TrainingSettings]) -> list[str]:
    own, training = unet_settings(study), settings.get("unet")
    if own is None or training is None:
        return []
    if own.dimensions == 3:
        return [
            "The U-Net [ronneberger] is trained on the true masks and sees the volume in patches of "
            f"{own.patch_cells} cubes of {own.cell_mm:g} mm a side."
        ]
    text = "The U-Net [ronneberger] is trained on the projections of the true masks and sees each view at"
    return [f"{text} {training.input_mm:g} mm."]


def _forest(study: Study, forest: ForestUse | None) -> str:
    """What the forest sees, what it learns from, and how class and place follow from network and forest."""
    settings, reasons = section(study, "candidates"), listing(list(no_forest_reasons(study)))
    if forest is None:
        return f"The proposed method has no forest of candidates ({reasons}). " if reasons else ""
    if not set(settings) >= _FOREST_KEYS:
        return ""
    free = listing(sorted(study.record.get("lesion_free", [])))
    near = f"a maximum within {settings['near_mm']:g} mm of a click was taken as a lesion of the case's class"
    far = (
        f"those of cases of the class {free} as none, and all others were left out"
        if free
        else f"one farther than {settings['far_mm']:g} mm from every click as none, and those between were left out"
    )
    missing = forest.folds - forest.with_forest
    lacking = f"is none ({reasons})" if reasons else "were too few clicks for it"
    part = f" In {missing} of {forest.folds} folds there {lacking}." if missing else ""
    return (
        f"Beside the network the proposed method has a forest of {forest.trees} extremely randomised trees [geurts]. "
        f"Its input are the maxima of what stands out in a scan's uptake, the {KEPT} most conspicuous, each described "
        f"by {len(FEATURES)} numbers on its uptake, size, surroundings and place; it learns from the same clicks: "
        f"{near}, {far}.{part} {_class_rule(study, bool(free))} Where the views are made to agree, voxels are weighted "
        f"by (p / max p)^{settings['weight']:g} of the maxima near them (Gaussian, standard deviation "
        f"{settings['sigma_mm']:g} mm), p being the forest's probability of the class. "
    )


def _class_rule(study: Study, has_controls: bool) -> str:
    if has_controls:
        return "The class is the network's."
    settings, power = section(study, "candidates"), section(study, "localise").get("uptake_power", 0.0)
    uptake = f" + {power:g} log SUV" if power else ""
    return (
        "The class probabilities are the softmax, over classes, of the best maximum's log M_coronal + log M_sagittal"
        f"{uptake} + {settings['weight']:g} log p plus {settings['class_share']:g} times the logarithm of the "
        f"network's class probability, M being the class's activation maps ({MAP_FLOOR:g} added to each M, {LEAST:g} "
        "to each probability)."
    )


def _sizes(study: Study, forest: ForestUse | None) -> str:
    return listing(
        [
            f"{method_title(method['name'])} {method['parameters']:,} parameters"
            + (f" beside the forest's {forest.trees} trees" if forest and method["name"] == "proposed" else "")
            for method in trained(study)
        ]
    )


def _ensembling(study: Study, forest: ForestUse | None) -> str:
    splits = section(study, "rpet3d").get("splits") if outcome_networks(study) else None
    patch = f" {method_title('rpet3d')} is the mean of {splits} networks a fold." if splits else ""
    if forest is None:
        apart = f", but for {method_title('rpet3d')}" if splits else ""
        return f"No ensemble{apart}: one model a fold and method; the class scores of both views are averaged.{patch}"
    return (
        "No ensemble of networks: one network a fold and method, whose class scores of both views are averaged; in the "
        f"proposed method it is combined with a forest, an ensemble of {forest.trees} randomised trees."
        f"{patch}"
    )


def _explained(forest: ForestUse | None) -> str:
    plain = "The class activation maps are the explanation; whether their peak lies on the tumour is measured."
    return plain + (" Those of the proposed method are weighted by the forest's candidates." if forest else "")
