"""A trained 3D U-Net: class probabilities, mask and lesion maps of a scan, from its volume alone.

Shape letters: X, Y, Z cells or voxels; U, Z pixels of a view.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from pointpet.core import ActivationMap, Mask, MipPair, Plane, Volume
from pointpet.image.resample import resample_volume
from pointpet.learn.activation import Activation
from pointpet.learn.backend import torch
from pointpet.learn.backend_monai import sliding_window_inference
from pointpet.learn.trained_unet import TrainedUnet
from pointpet.learn.unet_network import UnetScores
from pointpet.learn.unet_volumes import coarse_values, patch_start

OVERLAP = 0.25
"""Share by which neighbouring windows overlap; their answers are averaged, the middle of a window counting most."""


@dataclass(frozen=True, eq=False)
class VolumeActivation:
    """What a 3D network says of one scan.

    Args:
        activation: class probabilities and maps, as a 2D network gives them.
        mask: its own 3D mask, where the probability is one half and more, on the scan's grid.
    """

    activation: Activation
    mask: Mask


class TrainedVolumeUnet(TrainedUnet):
    """The 3D U-Net on coarse cubes."""

    TASK = "mask of the lesion and class of the disease on FDG-PET volumes"

    def activate_volume(self, volume: Volume, mips: MipPair) -> VolumeActivation:
        """Classify a scan and segment it, window by window.

        The class is read in the window about the highest probability. The maps are the highest probabilities along the
        rays of both views, as a share of the scan's highest.

        Args:
            volume: SUV.
            mips: its MIPs; the maps get their pixels.
        """
        values, grid = coarse_values(volume, self.settings, self.training_settings)
        size = self.settings.patch_cells
        image = torch.from_numpy(values)[None, None]
        with torch.inference_mode():
            raw = sliding_window_inference(
                image, (size,) * 3, 1, lambda part: self._scores(part).mask, overlap=OVERLAP, mode="gaussian"
            )
            probability: NDArray[np.float32] = torch.sigmoid(torch.as_tensor(raw))[0, 0].numpy()
            peak = np.array(np.unravel_index(int(probability.argmax()), probability.shape), float)
            x, y, z = patch_start(peak, probability.shape, size)
            about = image[:, :, x : x + size, y : y + size, z : z + size]
            logits = self._scores(about).logits[0].double()
        probabilities = dict(zip(self.classes, torch.softmax(logits, 0).tolist(), strict=True))
        predicted = self.classes[int(logits.argmax())]
        coarse = Volume(probability, grid.affine)
        highest = np.float32(max(probability.max(), np.finfo(np.float32).tiny))
        share = Volume((probability / highest).astype(np.float32), grid.affine)
        maps = {plane: _map_of(share, plane, mips, predicted) for plane in mips.planes}
        own = resample_volume(coarse, volume.grid).voxels >= 0.5
        return VolumeActivation(Activation(probabilities, maps), Mask(own, volume.affine))

    def _scores(self, images: torch.Tensor) -> UnetScores:
        return self.network(images, torch.tensor([images.shape[2:]] * len(images)))


def _map_of(share: Volume, plane: Plane, mips: MipPair, class_name: str) -> ActivationMap:
    """The highest value along each ray of a view, brought to the MIP's pixels, linearly; 0 outside the cells."""
    highest = share.voxels.max(axis=plane.ray_axis)
    suv = mips.values(plane)
    assert suv is not None
    assert mips.origin_mm is not None
    steps = [
        (mips.origin_mm[axis] + mips.pixel_mm * np.arange(count) - share.affine[axis, 3]) / share.affine[axis, axis]
        for axis, count in zip((plane.axis, 2), suv.shape, strict=True)
    ]
    places = np.stack(np.meshgrid(*steps, indexing="ij"))
    values = map_coordinates(highest, places, order=1, mode="constant", cval=0.0).astype(np.float32)
    return ActivationMap(np.clip(values, 0, 1), plane, class_name, mips.pixel_mm, mips.origin_mm)
