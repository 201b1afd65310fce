"""MODEL_CARD.md: what a model is, what it was trained on, how it was measured, and what it is not for.

Source: Mitchell et al., Model Cards for Model Reporting, FAT* 2019, whose nine sections stand here in their order. What
a training does not know is said to be not provided.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pointpet._version import __version__

SECTIONS = (
    "Model details",
    "Intended use",
    "Factors",
    "Metrics",
    "Evaluation data",
    "Training data",
    "Quantitative analyses",
    "Ethical considerations",
    "Caveats and recommendations",
)
TASK = "class of the disease and activation maps on coronal and sagittal FDG-PET maximum intensity projections"
PAPER = "Amyar et al. 2020, Weakly Supervised PET Tumor Detection Using Class Response"
PHANTOM_NOTICE = "Trained on digital phantoms: to try the tool, not for patients."
NOT_PROVIDED = "Not provided"


def model_card(record: Mapping[str, Any]) -> str:
    """Markdown text from what model.json holds.

    Args:
        record: `method`, `network` (its record: `classes`, `settings`, `training`, and `task` where it is another),
            `cohort` and `evaluation` where known, `candidates` where a forest is part, `no_forest` where it says why
            none is, see docs/file-formats.md.
    """
    network, cohort = record["network"], record.get("cohort", {})
    notices = ["**Research use only. Not a medical device; not for diagnosis or treatment.**"]
    if cohort.get("source") == "phantom":
        notices.append(f"**{PHANTOM_NOTICE}**")
    bodies = (
        _details(record, cohort),
        _intended_use(network, cohort),
        _factors(cohort),
        METRICS,
        _evaluation_data(record.get("evaluation")),
        _training_data(cohort, record.get("candidates")),
        _analyses(record.get("evaluation"), network),
        ETHICS,
        _caveats(cohort),
    )
    parts = [f"# Model card: {record['method']}", *notices]
    parts += [f"## {title}\n\n{body}" for title, body in zip(SECTIONS, bodies, strict=True)]
    chosen = {**network.get("training_settings", {}), **network.get("settings", {})}
    forest = record.get("candidates", {}).get("settings", {})
    chosen |= {f"candidates.{name}": value for name, value in forest.items()}
    parts.append("## Settings\n\n" + _table(("Setting", "Value"), sorted(chosen.items())))
    return "\n\n".join(parts) + "\n"


METRICS = """- Class accuracy: share of cases given their own class.
- Hit: share of cases whose map's peak lies within 16 mm of the true tumour in both views.
- Dice: overlap of the predicted 3D mask with the true one; 0 for an empty mask.
- Unlike training: share of cases flagged `unlike_training`, though they are like the training cases.
- The likeliest class is taken, without a threshold; the mask's thresholds stand in `model.json` under `localise`."""

ETHICS = """- Trained from scans of patients, or of phantoms, as stated above; the model holds weights and a record, no
  image, identifier or path.
- Whether age, sex, ethnicity or body size change its errors has not been measured.
- A wrong class or a missed lesion harms whoever relies on it: a physician must look at each result."""


def _details(record: Mapping[str, Any], cohort: Mapping[str, Any]) -> str:
    network: Mapping[str, Any] = record["network"]
    training = network.get("training", {})
    facts = {"task": network.get("task", TASK), "architecture": network.get("architecture", NOT_PROVIDED)}
    facts |= {"classes": ", ".join(network.get("classes", []))}
    facts |= {name: value for name, value in sorted(training.items()) if not isinstance(value, list | dict)}
    facts |= {"forest of candidates": _forest(record)}
    facts |= {
        "trained on": cohort.get("trained_on", NOT_PROVIDED),
        "pointpet": __version__,
        "method": f"{record['method']}, after {PAPER}",
    }
    facts |= {"licence": "of the weights: that of whoever trained them; of pointpet: Apache-2.0"}
    facts |= {"questions": "to whoever trained it; on the program: see CONTRIBUTING.md of pointpet"}
    return _table(("Fact", "Value"), facts.items())


def _forest(record: Mapping[str, Any]) -> str:
    candidates = record.get("candidates")
    if candidates is None:
        return f"none: {record['no_forest']}" if record.get("no_forest") else "none"
    trees = f"{candidates['trees']} trees" if "trees" in candidates else "a number of trees that is not in the record"
    return (
        f"{trees} on {len(candidates['features'])} numbers of each place where uptake stands out, learned from "
        "the training clicks; class and place follow from network and forest together"
    )


def _intended_use(network: Mapping[str, Any], cohort: Mapping[str, Any]) -> str:
    phantom = cohort.get("source") == "phantom"
    use = "trying pointpet on one's own machine" if phantom else "research on scans like those it was trained on"
    return f"""- Use: {use}.
- Users: researchers in nuclear medicine, physicists, method developers.
- Input: a static FDG-PET, attenuation corrected, in SUVbw, of the trunk at least.
- Not for: diagnosis, treatment, triage, other tracers, other diseases than {", ".join(network.get("classes", []))}, for
  which it answers with one of these classes all the same, at best with the flag `unlike_training`."""


def _factors(cohort: Mapping[str, Any]) -> str:
    acquisition = cohort.get("acquisition", {})
    rows = [("scanners", _counts(acquisition.get("scanners"))), ("voxels", _counts(acquisition.get("voxels")))]
    rows += [(name, _spread(found)) for name, found in acquisition.get("measures", {}).items()]
    text = "A model knows the scanners, uptake times and tumours of its training cohort; anything else is untested."
    return text + "\n\n" + _table(("Of the training scans", "Value"), rows)


def _counts(counted: Mapping[str, int] | None) -> str:
    return ", ".join(f"{name} ({number})" for name, number in (counted or {}).items()) or NOT_PROVIDED


def _spread(found: Mapping[str, Any]) -> str:
    if not found.get("known"):
        return NOT_PROVIDED
    return f"median {found['median']:g}, {found['lo']:g} to {found['hi']:g} ({found['known']} scans)"


def _evaluation_data(evaluation: Mapping[str, Any] | None) -> str:
    if evaluation is None:
        return (
            f"{NOT_PROVIDED}: a training sees all the cases it is given, those that chose the epoch aside. "
            "`pointpet study` measures the method on cases that it has not seen."
        )
    return f"{evaluation['data']}\n\nCommand: `{evaluation['command']}`"


def _training_data(cohort: Mapping[str, Any], candidates: Mapping[str, Any] | None) -> str:
    counted = [f"{name} ({number})" for name, number in (candidates or {}).get("learned_from", ())]
    of_forest = [("maxima of uptake the forest learned from", ", ".join(counted) or NOT_PROVIDED)] if candidates else []
    if not cohort:
        return "\n\n".join([NOT_PROVIDED, *([_table(("Fact", "Value"), of_forest)] if of_forest else [])])
    rows = [
        ("source", "digital phantoms" if cohort["source"] == "phantom" else "image files"),
        ("cases", cohort["cases"]),
        ("patients", cohort["patients"]),
        ("by class", _counts(cohort["by_label"])),
        ("cases with a point", cohort["pointed"]),
        ("manifest (SHA-256)", cohort["digest"] or NOT_PROVIDED),
        *of_forest,
    ]
    return _table(("Fact", "Value"), rows)


def _analyses(evaluation: Mapping[str, Any] | None, network: Mapping[str, Any]) -> str:
    if evaluation is None:
        best = network.get("training", {}).get("best_epoch", NOT_PROVIDED)
        return f"{NOT_PROVIDED} for unseen cases. The epoch was chosen on held-out training patients (epoch {best})."
    columns = tuple(evaluation["rows"][0])
    rows = [[_cell(row[name]) for name in columns] for row in evaluation["rows"]]
    return _table([name.replace("_", " ") for name in columns], rows)


def _caveats(cohort: Mapping[str, Any]) -> str:
    first = f"- {PHANTOM_NOTICE}\n" if cohort.get("source") == "phantom" else ""
    return first + (
        "- Try it on cases of your own with known truth before you believe it; train on your own scanner's cases.\n"
        "- The probabilities are not calibrated. Where confidence.json lies beside the model, answers also have "
        "calibrated\n  ones and a confidence, fitted on the training patients that chose the epoch, who are few.\n"
        "- The flags in result.json say when a human should look first.\n"
        "- Small lesions beside hot organs are missed most, and one main lesion a scan is what it was trained to find."
    )


def _table(columns: tuple[str, ...] | list[str], rows: Any) -> str:
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows])


def _cell(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
