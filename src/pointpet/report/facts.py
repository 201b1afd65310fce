"""What a run knows of itself, a sentence a topic: the material of the checklists and of the methods paragraph.

A topic that the run knows nothing of is absent: it is then "not provided", never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping

from pointpet.report.headline import answer_sentences, is_phantom, reference_method
from pointpet.report.model_facts import model_facts
from pointpet.report.study_folder import Study, numbers
from pointpet.report.trained_as import section, trained
from pointpet.report.wording import MODEL_TITLES, endpoint_one, listing, method_title

_OUTCOME_KEYS = {"max_correlation", "max_features", "events_per_feature", "model", "inner_folds"}
_RADIOMICS_KEYS = {"spacing_mm", "interpolation", "bin_suv"}
"""Settings that the sentences need; a study of another version may lack one."""


def study_facts(study: Study) -> dict[str, str]:
    """Topic (as the checklists name it) to sentence, with references as `[key]`."""
    facts: dict[str, str] = {}
    for part in (_data, _imaging, _split, model_facts, _evaluation, _outcomes, _radiomics, _results, _access):
        facts |= part(study)
    return {topic: sentence for topic, sentence in facts.items() if sentence}


def _data(study: Study) -> dict[str, str]:
    cohort = study.record["cohort"]
    phantom = is_phantom(study)
    counts = listing([f"{count} {label}" for label, count in sorted(cohort["by_label"].items())])
    masked = len(numbers(study.segmentation, "dice")) > 0
    return {
        "design": "Comparison of methods on a finished cohort; nothing was collected for it." if phantom else "",
        "goal": "To compare methods of finding and outlining tumours in FDG-PET on the same folds.",
        "data_source": (
            f"The cohort: {cohort['cases']} digital phantoms of FDG-PET (preset {cohort.get('preset', 'unknown')}); "
            "no patient data."
            if phantom
            else f"The cohort “{cohort.get('name', '')}”: {cohort['cases']} FDG-PET studies of "
            f"{cohort['patients']} patients."
        ),
        "exclusion": "Cases that cannot be read, or from whose header no SUV can be computed without guessing, are "
        "excluded and listed with the reason; cases without a class label are not studied.",
        "subset": "All labelled cases of the manifest that could be read.",
        "deidentification": "This report and all outputs name cases by the manifest's case ids alone."
        if not phantom
        else "Not needed: no patient data.",
        "annotation": _annotation(study),
        "reference_standard": "The reference is the support of the simulated tumour's activity, before blur and noise."
        if phantom
        else "",
        "reference_reason": "It is known exactly." if phantom else "",
        "test_annotation": "Reference masks of the test cases are read after the prediction, and only to measure it."
        if masked
        else "",
        "imbalance": f"{counts}; folds are stratified by class and outcome, and figures are given class by class.",
        "strata": f"Number of cases by class and fold: {counts}; demographic characteristics are not in the run's "
        "record."
        if counts
        else "",
    }


def _annotation(study: Study) -> str:
    given = {
        method_title(method["name"]): method["training_input"]
        for method in study.record["methods"]
        if method["training_input"] != "none"
    }
    return "Training input: " + "; ".join(f"{name}: {what}" for name, what in given.items()) + "." if given else ""


def _imaging(study: Study) -> dict[str, str]:
    prepare, training = section(study, "prepare"), section(study, "training")
    if not {"pixel_mm", "interpolation"} <= set(prepare) or "suv_ceiling" not in training:
        return {}
    flow = study.record.get("flow", {}).get("acquisition", {})
    measured = [
        f"{title} {spread['median']:.3g} {unit} (median; {spread['lo']:.3g} to {spread['hi']:.3g})"
        for name, title, unit in (
            ("uptake_min", "uptake time", "min"),
            ("dose_mbq_per_kg", "injected activity", "MBq/kg"),
        )
        if (spread := flow.get("measures", {}).get(name, {})).get("median") is not None
    ]
    scanners = listing(sorted(flow.get("scanners", {})))
    acquired = [*measured, f"scanner {scanners}"] if scanners else measured
    return {
        "preprocessing": f"Images were converted to body-weight SUV, brought to {prepare['pixel_mm']:g} mm by "
        f"{prepare['interpolation']} interpolation and projected to a coronal and a sagittal maximum intensity "
        f"projection; SUV was clipped to 0 to {training['suv_ceiling']:g} [amyar].",
        "acquisition": f"Acquisition: {'; '.join(acquired)}; ranges are compared with the EANM guideline [boellaard]."
        if acquired
        else "",
        "input_quality": "A header from which no SUV follows is refused; answers carry quality flags and a confidence.",
    }


def _split(study: Study) -> dict[str, str]:
    record = study.record
    return {
        "partitions": f"The evaluation is a {record['folds']}-fold cross-validation, stratified by class and "
        "outcome, seed "
        f"{record['seed']}; "
        "the same folds for every method.",
        "disjoint": "No patient and no identical image lies in two folds, which the run checks.",
        "internal": f"Every case is tested once, by models of the other {record['folds'] - 1} folds; development and "
        "test data are of one cohort.",
        "missing": "A case without a point or a mask trains what it can; one without an outcome is left out of that "
        "endpoint; gaps in features are filled with the median of the training fold.",
    }


def _evaluation(study: Study) -> dict[str, str]:
    compared = len(study.comparisons) > 0
    budget = len(study.optional("annotation_budget")) > 0
    robust = ["with few annotated patients (annotation effort)"] if budget else []
    robust += ["with each site left out"] if len(study.optional("outcome_sites")) else []
    confident = len(study.optional("risk_coverage")) > 0
    calibration = (
        " A confidence is calibrated by Platt's scaling [platt] on the held-out part of each training fold, and judged "
        "by risk against coverage [geifman]."
        if confident
        else ""
    )
    return {
        "metrics": "Measures: Dice, normalised surface distance at 2 mm, HD95, volumes, distance of the map's "
        "peak; for "
        "classes and "
        f"outcomes AUC, accuracy, sensitivity, specificity, PR-AUC and calibration.{calibration}",
        "statistics": "Figures are means and standard deviations over folds; 95 % intervals by bootstrap over "
        "patients.",
        "comparison": "Methods are compared by paired tests over patients: Wilcoxon's signed-rank test, McNemar's "
        "for shares, with Holm's "
        "correction [holm]."
        if compared
        else "",
        "robustness": f"The comparison was repeated {listing(robust)}." if robust else "",
    }


def _outcomes(study: Study) -> dict[str, str]:
    settings, outcome = section(study, "outcome"), study.record.get("outcome", {})
    if not len(study.optional("outcome")) or not set(settings) >= _OUTCOME_KEYS:
        return {}
    asked = [q for q in outcome.get("questions", ()) if q["endpoint"] and not q["reason"]]
    events = [f"{q['label']}: {q['events']} of {q['cases']} {endpoint_one(q['endpoint'])}" for q in asked]
    sites = study.record.get("flow", {}).get("acquisition", {}).get("sites", {})
    return {
        "predictors": "Image features of the predicted masks; no clinical variable.",
        "predictor_handling": "Inside each training fold: gaps filled, features made symmetric (Yeo-Johnson) and "
        "scaled.",
        "reduction": "Inside each training fold: redundant features (rank correlation over "
        f"{settings['max_correlation']:g}) "
        f"left out, at most {settings['max_features']} kept, one per {settings['events_per_feature']} events.",
        "outcome_model": f"Outcome model: {MODEL_TITLES.get(settings['model'], settings['model'])}, chosen "
        "beforehand; all models "
        "are in "
        "tables/outcome_all_models.csv. AUC is compared between methods by Nadeau and Bengio's test [nadeau].",
        "outcome_choice": "The model of the tables was fixed before the run; the others are shown, not chosen from.",
        "tuning": f"Hyperparameters and threshold are chosen by {settings['inner_folds']} inner folds of each "
        "training fold.",
        "threshold": "A probability; the threshold is chosen inside each training fold and recorded with every "
        "prediction.",
        "prediction": "By the model of the fold in which the case was held out.",
        "events": f"{'; '.join(events)}; events per variable stand beside each model." if events else "",
        "site_handling": f"{len(sites)} sites: ComBat [johnson] is fitted inside training folds where sites are large "
        "enough; each site is also left out."
        if len(sites) > 1
        else "",
        "site_results": "See the results with each site left out." if len(study.optional("outcome_sites")) else "",
    }


def _radiomics(study: Study) -> dict[str, str]:
    settings = section(study, "radiomics")
    if not len(study.optional("outcome")) or not set(settings) >= _RADIOMICS_KEYS:
        return {}
    spacing = settings["spacing_mm"]
    grid = "the PET's own grid" if spacing is None else f"cubes of {spacing:g} mm ({settings['interpolation']})"
    return {
        "radiomics_grid": f"PET and mask lie on {grid}; voxels below SUV 0 leave the intensity mask.",
        "discretisation": f"Grey levels are fixed bins of {settings['bin_suv']:g} SUV from SUV 0.",
        "image_types": "The original image only, no filters.",
        "features": "Features are SUV statistics and IBSI features [zwanenburg]: morphology, intensity, histogram "
        "and texture, by "
        "their codes.",
        "feature_count": "169 radiomic features and the SUV statistics.",
        "radiomics_defaults": "Texture matrices are 3D, of neighbours at distance 1, merged over directions; all "
        "settings "
        "stand under Settings.",
        "feature_files": "Features of every case and method: features/*.csv.",
    }


def _results(study: Study) -> dict[str, str]:
    flow = study.record.get("flow")
    method = method_title(reference_method(study)) if study.methods else ""
    return {
        "headline": " ".join(answer_sentences(study)),
        "flow": f"{flow['cases']} cases in the manifest, {len(flow['excluded'])} excluded, {flow['included']} studied."
        if flow
        else "",
        "performance": "Tables by class, and the comparisons.",
        "precision": "Sections on classification and outcomes: AUC with intervals by fold and pooled."
        if len(study.classification)
        else "",
        "failure_analysis": f"The section on failures lists the cases in which {method} failed, with what its "
        "answer shows."
        if method
        else "",
        "true_mask": "Outcomes from features of the reference masks stand beside those of predicted ones."
        if study.references
        else "",
        "published": "The tables show the published figures of each method beside this study's.",
        "limitations": "See Limitations.",
        "sites": f"{len(sites)} sites." if (sites := _sites(study)) else "",
    }


def _sites(study: Study) -> Mapping[str, int]:
    return study.record.get("flow", {}).get("acquisition", {}).get("sites", {})


def _access(study: Study) -> dict[str, str]:
    record = study.record
    machine = record.get("machine", {})
    versions = [f"{name} {machine[name]}" for name in ("python", "torch", "monai", "numpy") if machine.get(name)]
    version = record.get("pointpet_version", "")
    return {
        "software": "Software: " + listing([f"pointpet {version}", *versions]) + "." if version else "",
        "settings": "The whole configuration stands under Settings and in study.json.",
        "protocol": "study.json holds configuration, seed, versions and hashes of the inputs; the same command "
        "gives the "
        "same study.",
        "availability": "The software is free (Apache-2.0); models of every fold lie in the study's folder.",
        "model_files": "models/METHOD/fold_K: weights, record and model card." if trained(study) else "",
        "specification": "models/METHOD/fold_K holds every network; tables/outcome_folds.csv the features of every "
        "outcome model."
        if trained(study)
        else "",
        "checklists": "This report fills CLAIM, TRIPOD+AI and CLEAR as far as the run knows.",
    }
