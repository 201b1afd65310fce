"""What is measured on: a phantom's scan as DICOM and in memory, training pictures, and a model trained on them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pointpet.core import Grid, MipPair, Plane, Volume
from pointpet.image.resample import resample_volume
from pointpet.io.mip_files import read_mips, write_mips
from pointpet.learn.example import Example
from pointpet.learn.settings import TrainingSettings
from pointpet.localise.settings import LocaliseSettings
from pointpet.methods.base import CaseInput, FitContext
from pointpet.methods.registry import build_method
from pointpet.phantom import PhantomCase, generate_case
from pointpet.pipeline.config import PrepareSettings
from pointpet.project import project

PIXEL_MM = 2.0
VOXEL_MM = (4.07, 4.07, 3.0)
PATIENTS = 4
SEED = 0
MODEL_EPOCHS = 5
"""A model's passes over its few patients: its answers are timed, not judged."""


@dataclass(frozen=True)
class Size:
    """How much is measured.

    Args:
        voxels: of the scan. runs: of each contender. windows: of the 3D U-Net that are timed.
        views: in a training epoch.
    """

    voxels: tuple[int, int, int]
    runs: int
    windows: int
    views: int


FULL = Size(voxels=(168, 168, 400), runs=7, windows=5, views=64)
QUICK = Size(voxels=(128, 128, 120), runs=3, windows=1, views=16)


@dataclass(frozen=True)
class Material:
    """Where things lie below `folder`."""

    folder: Path

    @property
    def dicom(self) -> Path:
        """Folder of the scan's slices."""
        return self.folder / "dicom"

    @property
    def model(self) -> Path:
        """Model folder."""
        return self.folder / "model"

    @property
    def scan(self) -> Path:
        """The scan's SUV (X, Y, Z), as it was generated, with its affine."""
        return self.folder / "scan.npz"

    def volume(self) -> Volume:
        """The scan in memory, in the order in which the DICOM reader leaves it."""
        with np.load(self.scan) as stored:
            return Volume(np.asfortranarray(stored["voxels"]), stored["affine"])

    def examples(self, views: int) -> list[Example]:
        """Training cases with both views each; the patients are repeated under other names."""
        cases = []
        for number in range(views // len(Plane)):
            patient = number % PATIENTS
            with np.load(self.folder / f"case{patient}.points.npz") as stored:
                points, label = stored["points_mm"], str(stored["label"])
            mips = read_mips(self.folder / f"case{patient}.npz")
            pixels = {plane: mips.pixels(plane, points) for plane in mips.planes}
            cases.append(Example(f"C{number:03d}", f"C{number:03d}", mips, label, pixels))
        return cases


def make_material(folder: Path, size: Size) -> Material:
    """Generate everything below `folder`."""
    material = Material(folder)
    cases = [generate_case(number, patients=PATIENTS, seed=SEED, preset="default") for number in range(PATIENTS)]
    for number, case in enumerate(cases):
        write_mips(folder / f"case{number}.npz", _mips(case))
        np.savez(folder / f"case{number}.points.npz", points_mm=case.points_mm, label=np.array(case.label))
    _write_scan(material, cases[0], size)
    _train_model(material, cases)
    return material


def _mips(case: PhantomCase) -> MipPair:
    return project(case.volume, pixel_mm=PIXEL_MM)


def _write_scan(material: Material, case: PhantomCase, size: Size) -> None:
    from pointpet.io.dicom_write import write_pet_series

    source = case.volume.grid
    affine = np.diag([*VOXEL_MM, 1.0])
    middle = source.world((np.array(source.shape) - 1) / 2)[0]
    affine[:3, 3] = middle - np.array(VOXEL_MM) * (np.array(size.voxels) - 1) / 2
    volume = resample_volume(case.volume, Grid(size.voxels, affine))
    write_pet_series(volume, case.acquisition, material.dicom, patient_id=case.patient_id)
    np.savez(material.scan, voxels=volume.voxels, affine=volume.affine)


def _train_model(material: Material, cases: list[PhantomCase]) -> None:
    settings = replace(TrainingSettings(), epochs=MODEL_EPOCHS, turns=False)
    inputs = []
    for case in cases:
        mips = _mips(case)
        pixels = {plane: mips.pixels(plane, case.points_mm) for plane in mips.planes}
        inputs.append(
            CaseInput(
                case.case_id,
                case.patient_id,
                mips=mips,
                label=case.label,
                points_mm=case.points_mm,
                pixels=pixels,
            )
        )
    classes = tuple(sorted({case.label for case in cases}))
    preprocessing = vars(replace(PrepareSettings(), pixel_mm=PIXEL_MM))
    context = FitContext(seed=SEED, classes=classes, preprocessing=dict(preprocessing))
    build_method("proposed", settings, LocaliseSettings()).fit(inputs, context).save(material.model)
