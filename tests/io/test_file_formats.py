"""The documented schemas are those of the files."""

import json
import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from pointpet.core import ActivationMap, MipPair, Plane
from pointpet.io.artefacts import LOCK_NAME, PART_PREFIX
from pointpet.io.cohort_csv import COLUMNS, PIXELS, WORLD
from pointpet.io.mip_files import write_mips
from pointpet.io.model_folder import CARD_NAME, RECORD_NAME, WEIGHTS_NAME, read_model, write_model
from pointpet.io.nifti import NOTE, write_map

DOCUMENT = Path(__file__).parents[2] / "docs" / "file-formats.md"


@pytest.fixture(scope="module")
def sections() -> dict[str, str]:
    parts = re.split(r"^## (.+)$", DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def first_cells(section: str) -> list[str]:
    """The names in code marks in the first column of a section's tables."""
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("|")]
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row)]


def test_cohort_columns(sections: dict[str, str]) -> None:
    documented = first_cells(sections["cohort.csv"])
    assert len(documented) == len(set(documented))
    assert set(documented) == {*COLUMNS, "outcome_NAME"}


def test_points_columns(sections: dict[str, str]) -> None:
    for column in ("case_id", *WORLD, *(name for names in PIXELS.values() for name in names)):
        assert f"`{column}`" in sections["points.csv"]


def test_mip_cache(sections: dict[str, str], tmp_path: Path) -> None:
    write_mips(tmp_path / "a.npz", MipPair(np.ones((2, 3)), np.ones((4, 3)), 2.0, np.zeros(3)))
    with np.load(tmp_path / "a.npz", allow_pickle=False) as arrays:
        assert set(arrays) == set(first_cells(sections["MIP cache"]))
        assert {name: (array.dtype.name, array.ndim) for name, array in arrays.items()} == {
            "coronal": ("float32", 2),
            "sagittal": ("float32", 2),
            "pixel_mm": ("float64", 1),
            "origin_mm": ("float64", 1),
        }


def test_activation_map(sections: dict[str, str], tmp_path: Path) -> None:
    write_map(tmp_path / "a.nii.gz", ActivationMap(np.ones((2, 3)), Plane.CORONAL, "lung", 2.0))
    (extension,) = nib.load(tmp_path / "a.nii.gz").header.extensions
    assert extension.get_code() == 6
    assert list(json.loads(extension.get_content())) == first_cells(sections["Activation map as NIfTI"])


def test_mask_note(sections: dict[str, str]) -> None:
    assert f"`{NOTE}`" in sections["Mask as NIfTI"]


def test_model_folder(sections: dict[str, str], tmp_path: Path) -> None:
    write_model(tmp_path / "m", {"w": np.ones(1)}, {}, "card")
    _, record = read_model(tmp_path / "m")
    assert first_cells(sections["Model folder"]) == [WEIGHTS_NAME, RECORD_NAME, CARD_NAME, *record]


def test_passing_files(sections: dict[str, str]) -> None:
    assert f"`{LOCK_NAME}`" in sections["Files that come and go"]
    assert f"`{PART_PREFIX}`" in sections["Files that come and go"]
