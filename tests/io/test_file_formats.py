"""The documented schemas are those of the files."""

import json
import re
from dataclasses import fields
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from pointpet.core import Acquisition, ActivationMap, MipPair, Plane, TurnedMips, Unit, Volume
from pointpet.image.candidates import find_candidates
from pointpet.io.artefacts import LOCK_NAME, PART_PREFIX
from pointpet.io.candidate_files import write_candidates
from pointpet.io.cohort_csv import COLUMNS, PIXELS, WORLD
from pointpet.io.dicom_import import import_tree
from pointpet.io.mip_files import write_mips, write_turned
from pointpet.io.model_folder import (
    CARD_NAME,
    ONNX_NAME,
    RECORD_NAME,
    WEIGHTS_NAME,
    read_model,
    write_model,
    write_onnx,
)
from pointpet.io.nifti import NOTE, write_map
from pointpet.learn.onnx_names import CORONAL, IMAGE, LOGITS, MAPS, OPSET
from pointpet.pipeline.confidence import FILE as CONFIDENCE

STORED_BY_METHODS = ("cohort", "evaluation")

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


def subsection(section: str, title: str) -> str:
    return section.split(f"\n### {title}\n")[1].split("\n### ")[0]


@pytest.fixture
def imported(series: Path, edit, tmp_path: Path) -> Path:
    """A tree with one series in grams beside a file that is none, imported with a key."""
    edit(series, lambda dataset: setattr(dataset, "PatientWeight", 70000))
    (series / "broken.dcm").write_text("text")
    import_tree(series, tmp_path / "out", pseudonyms=tmp_path / "key.csv")
    return tmp_path


def test_sidecar(sections: dict[str, str], imported: Path) -> None:
    described = subsection(sections["What import writes"], "Sidecar of a NIfTI")
    content = json.loads((imported / "out" / "images" / "P001.json").read_text())
    assert set(content) == set(first_cells(described))
    assert set(content["acquisition"]) == {field.name for field in fields(Acquisition)}
    (note,) = content["notes"]
    for name in (*content["acquisition"], *note):
        assert f"`{name}`" in described
    assert re.fullmatch("[0-9a-f]{20}", content["series_digest"])
    assert content["unit"] in re.findall(r"`([^`]+)`", described)


def test_left_out(sections: dict[str, str], imported: Path) -> None:
    lines = (imported / "out" / "left_out.csv").read_text().splitlines()
    assert lines[0].split(",") == first_cells(subsection(sections["What import writes"], "left_out.csv"))
    assert len(lines) == 2
    assert lines[1].startswith("file broken.dcm,")
    assert lines[1].endswith(",1,PP-DICOM-PREFIX")


def test_pseudonym_key(sections: dict[str, str], imported: Path) -> None:
    lines = (imported / "key.csv").read_text().splitlines()
    assert lines[0].split(",") == first_cells(subsection(sections["What import writes"], "Pseudonym key"))
    assert lines[1:] == ["SENTINEL_ID,P001"]


def test_mip_cache(sections: dict[str, str], tmp_path: Path) -> None:
    own, turned = sections["MIP cache"].split("\n### Turned MIPs\n")
    turned, candidates = turned.split("\n### Candidates\n")
    write_candidates(tmp_path / "c.npz", find_candidates(Volume(np.zeros((9, 9, 9)), np.eye(4), Unit.SUVBW)))
    with np.load(tmp_path / "c.npz", allow_pickle=False) as arrays:
        assert set(arrays) == set(first_cells(candidates)[:2]) == {"world_mm", "features"}
        assert f"(N, {arrays['features'].shape[1]})" in candidates
    mips = MipPair(np.ones((2, 3)), np.ones((4, 3)), 6.0, np.zeros(3))
    write_turned(tmp_path / "t.npz", [TurnedMips(mips, np.eye(4))])
    with np.load(tmp_path / "t.npz", allow_pickle=False) as arrays:
        assert {name.replace("0_", "K_") for name in arrays} == set(first_cells(turned))
        assert arrays["matrix"].shape == (1, 4, 4)
        assert arrays["0_place"].tolist() == [0, 0, 0, 6]
    write_mips(tmp_path / "a.npz", MipPair(np.ones((2, 3)), np.ones((4, 3)), 2.0, np.zeros(3)))
    with np.load(tmp_path / "a.npz", allow_pickle=False) as arrays:
        assert set(arrays) == set(first_cells(own))
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
    write_onnx(tmp_path / "m", b"graph")
    _, record = read_model(tmp_path / "m")
    graph = [IMAGE, CORONAL, LOGITS, MAPS]
    expected = [WEIGHTS_NAME, RECORD_NAME, CARD_NAME, CONFIDENCE, ONNX_NAME, *record, *STORED_BY_METHODS, *graph]
    assert first_cells(sections["Model folder"]) == expected
    assert f"opset {OPSET}" in sections["Model folder"]


def test_passing_files(sections: dict[str, str]) -> None:
    assert f"`{LOCK_NAME}`" in sections["Files that come and go"]
    assert f"`{PART_PREFIX}`" in sections["Files that come and go"]
