"""U-Net: fully supervised. Trained on true masks, it says where the lesion is; the outline is that of the weak methods.

In two dimensions one network sees both MIPs and learns their projected masks; its two maps of probability take the
place of the activation maps, so that what differs from `proposed` is what the network was given. In three dimensions
(`unet.dimensions: 3`) it sees the volume in coarse cubes; its own mask stands where the others have their hull.

A U-Net gives no class. So that the class columns of the tables have its figures, a linear layer on its coarsest
features, taken over the scan and over the lesion found, is trained along with it on the labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pointpet.core import GeometryError, Mask, Prediction
from pointpet.learn.example import Example
from pointpet.learn.settings import TrainingSettings
from pointpet.learn.unet_settings import UnetSettings
from pointpet.localise.localise import localise
from pointpet.localise.settings import LocaliseSettings
from pointpet.methods.base import CaseInput, FitContext, FittedMethod, Given, Supervision
from pointpet.methods.fitted_weak import FittedWeakMethod, corrected, require_mips, without_lesion
from pointpet.methods.held_out import held_out_cases
from pointpet.methods.stored import CORRECTION, read_stored, store
from pointpet.methods.weak import fit_record

if TYPE_CHECKING:
    from collections.abc import Callable

    from pointpet.core import Volume
    from pointpet.learn.trained_unet3d import TrainedVolumeUnet
    from pointpet.learn.unet_views import MaskedExample

NAME = "unet"


def build(training: TrainingSettings, localising: LocaliseSettings, settings: UnetSettings | None = None) -> UnetMethod:
    """The U-Net as the settings ask; the defaults where none are given."""
    return UnetMethod(training, localising, settings or UnetSettings())


class UnetMethod:
    """A U-Net on MIPs or on volumes.

    Args:
        training: picture, augmentation, validation part, precision and threads.
        localising: from maps to a mask.
        settings: of the U-Net.
    """

    name = NAME
    summary = "fully supervised: U-Net on true masks (2D on both MIPs, 3D by unet.dimensions), class from its features"
    supervision = Supervision(training=frozenset({Given.LABEL, Given.MASK}))

    def __init__(self, training: TrainingSettings, localising: LocaliseSettings, settings: UnetSettings) -> None:
        self.training = training
        self.localising = localising
        self.settings = settings

    def fit(self, training: Sequence[CaseInput], context: FitContext) -> FittedWeakMethod | FittedVolumeUnet:
        """Train one network on the labels and masks of `training`.

        A case without a mask teaches its class alone; one of a lesion-free class has an empty mask.
        """
        labelled = [case for case in training if case.label]
        record = fit_record(labelled, context)
        cases = [self._example(case, case.label or "", context, record[CORRECTION]) for case in labelled]
        localising = self.localising.for_cohort(context.lesion_free)
        arguments = {
            "seed": context.seed,
            "classes": context.classes,
            "checkpoint_dir": context.checkpoint_dir,
            "report": context.report,
        }
        if self.settings.dimensions == 3:
            from pointpet.learn.unet3d_train import train_unet3d

            loads = [_volume_loader(case) for case in labelled]
            pairs = list(zip(cases, loads, strict=True))
            network = train_unet3d(pairs, self.settings, self.training, **arguments)
            return FittedVolumeUnet(self.name, network, localising, record)
        from pointpet.learn.unet_train import train_unet

        views = train_unet(cases, self.settings, self.training, **arguments)
        return FittedWeakMethod(self.name, views, localising, record)

    def held_out(self, training: Sequence[CaseInput], context: FitContext) -> frozenset[str]:
        """Cases that `fit` keeps back to choose the epoch."""
        return held_out_cases(training, self.training, context)

    def blinded(
        self,
        fitted: FittedMethod,
        training: Sequence[CaseInput],  # noqa: ARG002
        context: FitContext,  # noqa: ARG002
    ) -> FittedMethod:
        """`fitted` itself: its network learnt from none of the cases held out."""
        return fitted

    def _example(self, case: CaseInput, label: str, context: FitContext, correction: float) -> MaskedExample:
        from pointpet.learn.unet_views import MaskedExample

        mask = case.load_mask() if case.load_mask is not None else None
        if mask is None and label in context.lesion_free and case.load_volume is not None:
            volume = case.load_volume()
            mask = Mask(np.zeros(volume.voxels.shape, bool), volume.affine)
        mips = corrected(require_mips(case), correction)
        pictures = case.load_picture_masks() if case.load_picture_masks is not None else {}
        if not pictures and label in context.lesion_free and case.load_volume is None:
            pictures = {plane: np.zeros(mips.picture(plane).T.shape, bool) for plane in mips.planes}
        # The 3D network turns no patient: a volume turned is a volume resampled.
        turns = self.settings.turns and self.settings.dimensions == 2
        return MaskedExample(
            Example(case.case_id, case.patient_id, mips, label),
            mask,
            tuple(case.load_turned()) if turns else (),
            pictures,
        )

    def load(self, folder: Path) -> FittedWeakMethod | FittedVolumeUnet:
        """Read a model folder.

        Raises:
            ModelError: missing, damaged, or of another method.
        """
        stored = read_stored(folder, self.name)
        if stored.network.get("settings", {}).get("dimensions") == 3:
            from pointpet.learn.trained_unet3d import TrainedVolumeUnet

            network = TrainedVolumeUnet.from_tensors(stored.tensors, stored.network)
            return FittedVolumeUnet(self.name, network, stored.localising, stored.context)
        from pointpet.learn.trained_unet import TrainedViewUnet

        views = TrainedViewUnet.from_tensors(stored.tensors, stored.network)
        return FittedWeakMethod(self.name, views, stored.localising, stored.context)


@dataclass(frozen=True, eq=False)
class FittedVolumeUnet:
    """A trained 3D U-Net with the rule that turns its maps into a mask.

    Args:
        method: name of the method.
        network: the network.
        localising: from maps to a mask.
        context: what `fit_record` gives.
    """

    method: str
    network: TrainedVolumeUnet
    localising: LocaliseSettings
    context: Mapping[str, Any]

    @property
    def training_record(self) -> Mapping[str, Any]:
        """Parameters, epochs, seconds, losses by epoch."""
        return self.network.training

    def save(self, folder: Path) -> None:
        """Write weights.safetensors, model.json and MODEL_CARD.md."""
        store(folder, self.method, self.network, self.localising, self.context)

    def predict(self, case: CaseInput) -> Prediction:
        """Class probabilities, maps and masks; `hull` is the network's own 3D mask, without any SUV rule.

        Raises:
            GeometryError: the case has no volume.
        """
        mips = require_mips(case)
        volume = _volume_loader(case)()
        seen = self.network.activate_volume(volume, mips)
        probabilities, predicted = seen.activation.probabilities, seen.activation.predicted
        found = localise(volume, seen.activation.maps, self.localising, mips=mips, probabilities=probabilities)
        prediction = Prediction(
            case_id=case.case_id,
            probabilities=probabilities,
            predicted=predicted,
            maps=found.maps,
            mask=found.mask,
            hull=seen.mask,
            seeds_mm=found.seeds_mm,
            flags=found.flags,
        )
        return without_lesion(prediction) if predicted in self.context["lesion_free"] else prediction


def _volume_loader(case: CaseInput) -> Callable[[], Volume]:
    if case.load_volume is None:
        raise GeometryError(
            "PP-METHOD-VOLUME",
            case.case_id,
            "the 3D U-Net needs a PET volume, got ready-made pictures",
            "Set unet.dimensions to 2, or leave the case out",
        )
    return case.load_volume
