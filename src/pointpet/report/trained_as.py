"""With which settings each network of a study was trained, and the sentences on it, a method at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from pointpet.core import PointpetError
from pointpet.learn.cam_settings import CamSettings
from pointpet.learn.fcn_settings import FcnSettings
from pointpet.learn.settings import AUTOMATIC_EPOCHS, SETTLED_SHARE, SMOOTHED_EPOCHS, TrainingSettings
from pointpet.learn.unet_settings import UnetSettings
from pointpet.report.headline import is_flat
from pointpet.report.study_folder import Study
from pointpet.report.wording import listing, method_title, percent

_Settings = TypeVar("_Settings", TrainingSettings, CamSettings, FcnSettings, UnetSettings)


def section(study: Study, name: str) -> Mapping[str, Any]:
    """A part of the run's configuration; empty where there is none."""
    return study.record.get("config", {}).get(name) or {}


def trained(study: Study) -> list[Mapping[str, Any]]:
    """Records of the methods that have parameters."""
    return [method for method in study.record["methods"] if method.get("parameters")]


def view_settings(study: Study) -> dict[str, TrainingSettings]:
    """Method to the settings that it was trained with: its own schedule, and what a cohort with controls gets.

    Methods are absent whose settings are not on record, or are those of another version.
    """
    common = _read(study, "training", TrainingSettings)
    if common is None:
        return {}
    free, pictures = study.record.get("lesion_free", []), is_flat(study)
    found = {"proposed": common.for_cohort(free, pictures=pictures)}
    if (cam := _read(study, "cam_alone", CamSettings)) is not None:
        found["cam_alone"] = cam.training(common).for_cohort(free, pictures=pictures)
    if (fcn := _read(study, "cam_fcn", FcnSettings)) is not None:
        found["cam_fcn"] = fcn.training(common).for_cohort(free, pictures=pictures)
    if (unet := unet_settings(study)) is not None:
        found["unet"] = unet.training(common)
    return {method["name"]: found[method["name"]] for method in trained(study) if method["name"] in found}


def unet_settings(study: Study) -> UnetSettings | None:
    """The U-Net's own; None where they are not on record."""
    return _read(study, "unet", UnetSettings)


def outcome_networks(study: Study) -> list[str]:
    """Methods that are a network on patches, for outcomes alone."""
    return [method["name"] for method in trained(study) if method["name"].startswith("rpet3d")]


def training_sentences(study: Study) -> str:
    """Optimiser, batches, epochs and augmentation of each method; those that share them in one sentence."""
    shared: dict[str, list[str]] = {}
    for name, settings in view_settings(study).items():
        shared.setdefault(_schedule(study, name, settings), []).append(method_title(name))
    sentences = [f"Training of {listing(names)}: {text}." for text, names in shared.items()]
    return " ".join(sentences + ([_patch_networks(study)] if outcome_networks(study) else []))


def selection_sentences(study: Study) -> str:
    """How the epoch was chosen, or that the last one was taken."""
    chosen: dict[float, list[str]] = {}
    for name, settings in view_settings(study).items():
        chosen.setdefault(settings.validation_share if _has_choice(settings) else 0.0, []).append(method_title(name))
    several = len(chosen) > 1
    sentences = []
    for share, names in chosen.items():
        of = f" of {listing(names)}" if several else ""
        sentences.append(
            f"The epoch{of} was chosen in the last {percent(1 - SETTLED_SHARE)} of the epochs, by the lowest mean of "
            f"{SMOOTHED_EPOCHS} epochs' validation criterion on {percent(share)} of the training patients."
            if share
            else f"The last epoch{of} was taken."
        )
    return " ".join(sentences)


def mirror_sentence(study: Study) -> str:
    """Which methods average a coronal view and its mirror image; empty where none does."""
    looking = [name for name, settings in view_settings(study).items() if settings.mirror]
    names = [method_title(name) for name in looking if not _in_patches(study, name)]
    if not names:
        return ""
    return (
        f"{listing(names)} {'looks' if len(names) == 1 else 'look'} at each coronal view and at its mirror image, "
        "whose scores and maps are averaged."
    )


def _read(study: Study, name: str, kind: type[_Settings]) -> _Settings | None:
    on_record, wanted = section(study, name), [item.name for item in fields(kind)]
    if not set(on_record) >= set(wanted):
        return None
    try:
        return kind(**{key: on_record[key] for key in wanted})
    except PointpetError:
        # Another version allowed what this one does not: it cannot say what that meant.
        return None


def _has_choice(settings: TrainingSettings) -> bool:
    """Whether enough settled epochs can be had for one to be chosen, as `EpochTraining.best_epoch` does."""
    epochs = settings.epochs or AUTOMATIC_EPOCHS[0]
    return settings.validation_share > 0 and epochs - int(SETTLED_SHARE * epochs) >= SMOOTHED_EPOCHS


def _schedule(study: Study, name: str, settings: TrainingSettings) -> str:
    in_patches = _in_patches(study, name)
    augmentation = _augmentation(
        settings,
        in_patches=in_patches,
        turned=_has_turned_views(study, settings),
        # The only method that is given points: others have no lesion to take.
        transplants=name == "proposed" and settings.transplant > 0 and settings.localises,
    )
    return (
        f"AdamW with a one-cycle learning rate up to {settings.learning_rate:g}, batches of {settings.batch_size} "
        f"{'patches' if in_patches else 'views'}, {_epochs(study, name, settings)}; {augmentation}"
    )


def _in_patches(study: Study, name: str) -> bool:
    """Whether a method sees patches of the volume, not views."""
    unet = unet_settings(study) if name == "unet" else None
    return unet is not None and unet.dimensions == 3


def _epochs(study: Study, name: str, settings: TrainingSettings) -> str:
    counts = next((method.get("epochs") or [] for method in trained(study) if method["name"] == name), [])
    if counts:
        low, high = min(counts), max(counts)
        return f"{low} epochs" if low == high else f"{low} to {high} epochs"
    return f"up to {settings.epochs} epochs" if settings.epochs else "as many epochs as its batches ask"


def _has_turned_views(study: Study, settings: TrainingSettings) -> bool:
    """Ready-made pictures cannot be turned."""
    return settings.turns and bool(section(study, "prepare").get("turns_deg")) and not is_flat(study)


def _augmentation(settings: TrainingSettings, *, in_patches: bool, turned: bool, transplants: bool) -> str:
    made = {
        "turning": turned and not in_patches,
        "place of the patch": in_patches,
        "mirroring": settings.flip,
        "shift": settings.shift_mm > 0 and not in_patches,
        "scale": settings.scale > 0 and not in_patches,
        "intensity": settings.intensity > 0,
        "curve of grey": settings.gamma > 0 and not in_patches,
        "noise": settings.noise > 0 and not in_patches,
        "lesions transplanted into controls": transplants,
    }
    names = [name for name, is_made in made.items() if is_made]
    return f"augmentation by {listing(names)}" if names else "no augmentation"


def _patch_networks(study: Study) -> str:
    settings, names = section(study, "rpet3d"), [method_title(name) for name in outcome_networks(study)]
    if not set(settings) >= {"learning_rate", "batch_size", "epochs", "patience", "splits"}:
        return ""
    return (
        f"Training of {' and of '.join(names)}: AdamW at a learning rate of {settings['learning_rate']:g}, batches of "
        f"{settings['batch_size']} patches, up to {settings['epochs']} epochs, stopped after {settings['patience']} "
        "without a better loss on the part left out, whose best epoch was taken; augmentation by mirroring, shift and "
        f"intensity; {settings['splits']} networks a fold, each leaving another part out, whose mean answers."
    )
