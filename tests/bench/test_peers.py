"""The peers do the same work: their pictures are ours."""

import numpy as np
import pytest

from pointpet.bench.material import PIXEL_MM, QUICK, Material, Size
from pointpet.bench.peers import (
    monai_views,
    prepare_monai,
    prepare_sitk,
    project_monai,
    project_sitk,
    read_by_monai,
    read_by_sitk,
    read_pixels,
    sitk_views,
    windows_over,
)
from pointpet.project import project


def assert_same_pictures(views, volume, *, scale: float = 1.0) -> None:
    """Values within a thousandth at corresponding places; grids that start at a voxel's centre may be a pixel off."""
    mips = project(volume, pixel_mm=PIXEL_MM)
    for ours, theirs in zip((mips.coronal, mips.sagittal), views, strict=True):
        assert np.abs(np.array(ours.shape) - theirs.shape).max() <= 2
        ours_sorted, theirs_sorted = (np.quantile(view, np.linspace(0.1, 0.95, 30)) for view in (ours, theirs * scale))
        np.testing.assert_allclose(theirs_sorted, ours_sorted, rtol=0.08)
        assert theirs.max() * scale == pytest.approx(ours.max(), rel=1e-3)


def test_monai_makes_the_same_pictures_from_memory_and_from_dicom(material: Material, small: Size) -> None:
    from monai.data.meta_tensor import MetaTensor

    volume = material.volume()
    assert_same_pictures(monai_views(MetaTensor(volume.voxels[None], affine=volume.affine)), volume)
    read = read_by_monai(material)
    per_suv = volume.voxels.max() / float(read.max())
    assert_same_pictures(monai_views(read), volume, scale=per_suv)
    for contender in (project_monai, prepare_monai):
        assert contender(material, small)() is None


def test_simpleitk_makes_the_same_pictures_from_memory_and_from_dicom(material: Material, small: Size) -> None:
    volume = material.volume()
    image = read_by_sitk(material)
    assert image.GetSize() == small.voxels
    import SimpleITK as sitk  # noqa: N813

    per_suv = volume.voxels.max() / sitk.GetArrayViewFromImage(image).max()
    assert_same_pictures(sitk_views(image), volume, scale=float(per_suv))
    for contender in (project_sitk, prepare_sitk, read_pixels):
        assert contender(material, small)() is None


def test_windows_are_those_of_monais_inference() -> None:
    import torch
    from monai.inferers.utils import sliding_window_inference

    size = Size(voxels=(40, 70, 100), runs=1, windows=1, views=8)
    seen = []

    def count(part: torch.Tensor) -> torch.Tensor:
        seen.append(part.shape)
        return part

    shape = [round(n * mm / PIXEL_MM) for n, mm in zip(size.voxels, (4.07, 4.07, 3.0), strict=True)]
    sliding_window_inference(torch.zeros(1, 1, *shape), (128,) * 3, 1, count, overlap=0.5)
    assert windows_over(size) == len(seen) > 1
    assert windows_over(QUICK) > 1
