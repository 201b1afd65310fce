"""What a user would take instead, written as its own documentation has it. None computes SUV or checks a header.

MONAI and SimpleITK read the slices, resample the volume to the pixel of the MIPs by nearest neighbour and take the
maximum along two axes. The maximum is that of NumPy or torch, which is faster than SimpleITK's own filter.
"""

from __future__ import annotations

import time
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pointpet.bench.contenders import TRAINING_EPOCHS, Run, drop
from pointpet.bench.material import PIXEL_MM, SEED, VOXEL_MM, Material, Size

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

WINDOW = 128
OVERLAP = 0.5
Views = tuple["NDArray", "NDArray"]
"""Coronal and sagittal maxima, each with z as its last axis."""


def project_monai(material: Material, _: Size) -> Run:
    """A tensor with its affine -> Spacing, maximum."""
    from monai.data.meta_tensor import MetaTensor

    from pointpet.learn.backend import torch

    volume = material.volume()
    image = MetaTensor(np.ascontiguousarray(volume.voxels)[None], affine=torch.as_tensor(volume.affine))
    return lambda: drop(monai_views(image))


def monai_views(image: Any) -> Views:
    """MIPs of a `MetaTensor` (1, X, Y, Z)."""
    from monai.transforms.spatial.array import Spacing

    resampled = Spacing(pixdim=(PIXEL_MM,) * 3, mode="nearest")(image)[0]
    return resampled.amax(1).numpy(), resampled.amax(0).numpy()


def prepare_monai(material: Material, _: Size) -> Run:
    """LoadImage of the folder, then as `project_monai`."""
    return lambda: drop(monai_views(read_by_monai(material)))


def read_by_monai(material: Material) -> Any:
    """The folder as a `MetaTensor`, by the reader that every installation has."""
    from monai.transforms.io.array import LoadImage

    return LoadImage(reader="PydicomReader", image_only=True, ensure_channel_first=True)(material.dicom)


def project_sitk(material: Material, _: Size) -> Run:
    """An image -> Resample, maximum."""
    import SimpleITK as sitk  # noqa: N813

    volume = material.volume()
    image = sitk.GetImageFromArray(np.ascontiguousarray(volume.voxels.T))
    image.SetSpacing(volume.spacing_mm.tolist())
    image.SetOrigin(volume.affine[:3, 3].tolist())
    return lambda: drop(sitk_views(image))


def sitk_views(image: Any) -> Views:
    """MIPs of an image (X, Y, Z)."""
    import SimpleITK as sitk  # noqa: N813

    spacing = np.array(image.GetSpacing())
    size = np.ceil(np.array(image.GetSize()) * spacing / PIXEL_MM).astype(int).tolist()
    resampled = sitk.Resample(
        image,
        size,
        sitk.Transform(),
        sitk.sitkNearestNeighbor,
        image.GetOrigin(),
        (PIXEL_MM,) * 3,
        image.GetDirection(),
    )
    values = sitk.GetArrayViewFromImage(resampled)
    return values.max(axis=1).T, values.max(axis=2).T


def prepare_sitk(material: Material, _: Size) -> Run:
    """ImageSeriesReader of the folder, then as `project_sitk`."""
    return lambda: drop(sitk_views(read_by_sitk(material)))


def read_by_sitk(material: Material) -> Any:
    """The folder as an image of real numbers: slopes differ from slice to slice."""
    import SimpleITK as sitk  # noqa: N813

    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(material.dicom)))
    reader.SetOutputPixelType(sitk.sitkFloat32)
    return reader.Execute()


def read_pixels(material: Material, _: Size) -> Run:
    """The floor: pydicom's pixels of every file, and nothing else."""
    import pydicom

    paths = sorted(material.dicom.iterdir())

    def run() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for path in paths:
                _ = pydicom.dcmread(path).pixel_array

    return run


def predict_unet3d(_: Material, size: Size) -> Run:
    """MONAI's BasicUNet over the scan at 2 mm by sliding windows: a window's time, times their number.

    Reading, resampling and the blending of the windows are left out, all in its favour.
    """
    from pointpet.learn.backend import torch
    from pointpet.learn.backend_monai import BasicUNet

    network = BasicUNet(3, in_channels=1, out_channels=2).eval()
    window = torch.rand(1, 1, WINDOW, WINDOW, WINDOW, generator=torch.Generator().manual_seed(SEED))
    count = windows_over(size)

    def run() -> float:
        started = time.perf_counter()
        with torch.inference_mode():
            network(window)
        return (time.perf_counter() - started) * count

    return run


def windows_over(size: Size) -> int:
    """How many windows MONAI's sliding window inference would run over the scan at 2 mm."""
    from monai.data.utils import dense_patch_slices

    image = [max(WINDOW, round(n * voxel / PIXEL_MM)) for n, voxel in zip(size.voxels, VOXEL_MM, strict=True)]
    return len(dense_patch_slices(image, (WINDOW,) * 3, (int(WINDOW * (1 - OVERLAP)),) * 3))


def train_plain(material: Material, size: Size) -> Run:
    """Seconds an image of a plain loop: the same layers, float32, pictures uncut, AdamW and cross-entropy.

    It has neither the distance loss nor augmentation, both in its favour.
    """
    from pointpet.learn.backend import functional, torch
    from pointpet.learn.pictures import network_input
    from pointpet.learn.settings import TrainingSettings

    settings = replace(TrainingSettings(), crop=False)
    examples = material.examples(size.views)
    classes = sorted({example.label for example in examples})
    shown = [(example, plane) for example in examples for plane in example.mips.planes]
    pictures = [network_input(case.mips.picture(plane), case.mips.pixel_mm, settings)[0] for case, plane in shown]
    labels = torch.tensor([classes.index(case.label) for case, _ in shown])
    network = _plain_network(settings, len(classes))
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)

    def epoch() -> None:
        for chosen in torch.randperm(len(pictures)).split(settings.batch_size):
            optimizer.zero_grad()
            batch = _padded([pictures[index] for index in chosen.tolist()])
            functional.cross_entropy(network(batch), labels[chosen]).backward()
            optimizer.step()

    def run() -> float:
        epoch()
        started = time.perf_counter()
        for _ in range(TRAINING_EPOCHS - 1):
            epoch()
        return (time.perf_counter() - started) / (TRAINING_EPOCHS - 1) / len(pictures)

    return run


def _padded(pictures: list[NDArray[np.float32]]) -> torch.Tensor:
    from pointpet.learn.backend import functional, torch

    height, width = np.max([picture.shape for picture in pictures], axis=0).tolist()
    tensors = [torch.from_numpy(picture) for picture in pictures]
    return torch.stack([functional.pad(one, (0, width - one.shape[1], 0, height - one.shape[0])) for one in tensors])[
        :, None
    ]


def _plain_network(settings: Any, classes: int) -> torch.nn.Module:
    from pointpet.learn.backend import nn
    from pointpet.learn.network import POOLED_LAYERS

    layers: list[nn.Module] = []
    before = 1
    for number, width in enumerate(settings.widths):
        layers += [nn.Conv2d(before, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        layers += [nn.MaxPool2d(2)] if number in POOLED_LAYERS[settings.cam_stride] else []
        before = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, classes))
