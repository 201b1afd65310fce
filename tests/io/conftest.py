"""A small synthetic PET series, written once and copied for each test that spoils it."""

import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset

from pointpet.core import Acquisition, Volume
from pointpet.io.dicom_write import write_pet_series

ACQUISITION = Acquisition(weight_kg=70.0, height_m=1.75, sex="M", dose_bq=350e6, uptake_s=3600.0)


@pytest.fixture(scope="session")
def acquisition() -> Acquisition:
    """70 kg, 1.75 m, 350 MBq, an hour of uptake."""
    return ACQUISITION


@pytest.fixture(scope="session")
def suv_volume() -> Volume:
    """(12, 10, 8) voxels of 4 x 4 x 3 mm, SUV about 1, off the origin."""
    affine = np.diag([4.0, 4.0, 3.0, 1.0])
    affine[:3, 3] = (-22.0, -18.0, 100.0)
    return Volume(np.random.default_rng(1).gamma(2.0, 0.5, (12, 10, 8)).astype(np.float32), affine)


@pytest.fixture(scope="session")
def pristine_series(tmp_path_factory, suv_volume) -> Path:
    """The series as written; not to be changed."""
    folder = tmp_path_factory.mktemp("pristine") / "PET"
    write_pet_series(
        suv_volume, ACQUISITION, folder, patient_id="SENTINEL_ID", scan_start=datetime(2024, 1, 15, 10, 30)
    )
    return folder


@pytest.fixture
def series(pristine_series, tmp_path) -> Path:
    """A copy of the series, for one test."""
    return Path(shutil.copytree(pristine_series, tmp_path / "PET"))


Edit = Callable[[Dataset], None]


@pytest.fixture
def edit() -> Callable[..., list[Path]]:
    """`edit(folder, change, only=None)`: apply `change` to every slice's dataset, or to those numbered in `only`."""

    def apply(folder: Path, change: Edit, only: tuple[int, ...] | None = None) -> list[Path]:
        paths = sorted(folder.iterdir())
        chosen = paths if only is None else [paths[index] for index in only]
        for path in chosen:
            with disable_value_validation():
                dataset = pydicom.dcmread(path)
                change(dataset)
                dataset.save_as(path)
        return chosen

    return apply


@pytest.fixture
def iod_faults() -> Callable[[Dataset], list[str]]:
    """`iod_faults(dataset)`: what an object lacks or has too much, by the tables of the standard that highdicom brings.

    Type 1 and 2 attributes of the mandatory modules, at any depth, and top-level attributes of no module at all. A
    functional group may stand for all frames or for each (PS3.3 C.7.6.16); the slide's position is for microscopy only.
    """
    groups = {"SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"}
    standard = pytest.importorskip("highdicom._standard_utils")

    def items(dataset: Dataset, path: list[str]) -> list[Dataset]:
        found = [dataset]
        for keyword in path:
            found = [item for one in found for item in one.get(keyword) or []]
        return found

    def stands_elsewhere(dataset: Dataset, path: list[str], keyword: str) -> bool:
        if len(path) != 1 or path[0] not in groups:
            return False
        (other,) = groups - {path[0]}
        return keyword == "PlanePositionSlideSequence" or all(keyword in item for item in dataset[other].value)

    def faults(dataset: Dataset) -> list[str]:
        iod = standard.get_sop_class_iod_map()[dataset.SOPClassUID]
        attributes = standard.get_module_attribute_map()
        allowed, wrong = set(), []
        for module in standard.get_iod_module_map()[iod]:
            for attribute in attributes[module["key"]]:
                keyword, path = attribute["keyword"], attribute["path"]
                if not path:
                    allowed.add(keyword)
                if module["usage"] != "M" or attribute["type"] not in ("1", "2"):
                    continue
                if stands_elsewhere(dataset, path, keyword):
                    continue
                is_1 = attribute["type"] == "1"
                wrong.extend(
                    f"type {attribute['type']} {'/'.join([*path, keyword])} is absent"
                    for item in items(dataset, path)
                    if keyword not in item or (is_1 and item[keyword].is_empty)
                )
        return wrong + [
            f"{element.keyword} belongs to no module" for element in dataset if element.keyword not in allowed
        ]

    return faults
