"""What reading DICOM must reproduce: known SUV, two ways to one image, and contours that were rasterised elsewhere.

    POINTPET_DATA=DATA python experiments/dicom_checks.py --out docs/results/dicom.md

The data folder holds suv_dro, sts and sts001_raw. Nothing of it is kept.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
from pathlib import Path

import numpy as np
import pydicom
from provenance import VERSION

from pointpet.core import Unit, Volume
from pointpet.io.artefacts import write_text
from pointpet.io.dicom_import import import_tree, series_digest
from pointpet.io.dicom_pet import read_dicom_series
from pointpet.io.nifti import read_mask, read_nifti
from pointpet.io.pet import read_pet
from pointpet.io.rtstruct import read_rtstruct

KNOWN = np.array([0.20, 1.00, 4.00])
LIMIT, LIMIT_COARSE = 0.005, 0.02
COARSE = "DRO_2_3"
LIMIT_RAW, LIMIT_STS = 8e-4, 1e-5


def reference_objects(data: Path) -> tuple[list[str], str, bool]:
    """Import all 17 objects in one run; table rows, what to say of the coarse one, and whether what can hold holds."""
    folders = sorted(path for path in (data / "suv_dro/DRO").iterdir() if (path / "PT").is_dir())
    rows, remark, holds = [], "", True
    with tempfile.TemporaryDirectory() as out:
        result = import_tree(data / "suv_dro/DRO", Path(out, "out"))
        images = {_digest(Path(out, "out/images", f"{case.case_id}.json")): case.case_id for case in result.cases}
        for folder in folders:
            header = pydicom.dcmread(next((folder / "PT").rglob("*.dcm")), stop_before_pixels=True)
            case_id = images[series_digest(header.SeriesInstanceUID)]
            volume = read_pet(Path(out, "out/images", f"{case_id}.nii.gz")).volume
            inside = volume.voxels[read_mask(folder / "mask/DRO_mask.nii.gz", volume).voxels]
            found = np.array([inside.min(), np.median(inside), inside.max()])
            worst = float(np.abs(found - KNOWN).max())
            step = quantum(folder, volume)
            limit = LIMIT_COARSE if folder.name == COARSE else LIMIT
            met = worst <= limit
            if folder.name == COARSE:
                remark, cut_off = coarse_remark(found, step)
                holds &= cut_off
            else:
                holds &= met
            numbers = " | ".join(f"{value:.4f}" for value in found)
            rows.append(f"| {folder.name} | {numbers} | {worst:.4f} | {step:.4f} | {limit:g} | {_yes(met)} |")
    return rows, remark, holds and len(folders) == 17


def coarse_remark(found: np.ndarray, step: float) -> tuple[str, bool]:
    """What the coarse object's file holds: whole numbers of steps, each the known value cut off and not rounded."""
    stored, wanted = found / step, KNOWN / step
    cut_off = bool(np.allclose(stored, np.floor(wanted), atol=1e-3))
    shown = ", ".join(f"{value:.0f} for {exact:.2f}" for value, exact in zip(np.rint(stored), wanted, strict=True))
    verdict = "are the known values cut off to whole steps" if cut_off else "are NOT the known values cut off"
    error = float(np.abs(found - KNOWN).max())
    return (
        f"{COARSE} is stored in steps of {step:.4f} SUV: its integers inside the mask are {shown} steps. They\n"
        f"{verdict}. The largest error of {error:.4f} is the file's own, {error / step:.2f} of a step:\n"
        f"{LIMIT_COARSE} cannot be met by any reader of these integers.",
        cut_off,
    )


def _digest(sidecar: Path) -> str:
    return json.loads(sidecar.read_text())["series_digest"]


def quantum(folder: Path, volume: Volume) -> float:
    """The largest step between neighbouring stored integers, in SUV: what the file can tell apart."""
    steps = []
    for path in (folder / "PT").rglob("*.dcm"):
        dataset = pydicom.dcmread(path)
        steps.append((int(dataset.pixel_array.max()), float(dataset.RescaleSlope)))
    largest = max(count * slope for count, slope in steps)
    return float(volume.voxels.max()) * max(slope for _, slope in steps) / largest


def raw_against_crop(data: Path) -> float:
    """Largest difference of SUV between the raw scan (BQML, START) and the published crop (GML)."""
    raw = read_dicom_series(data / "sts001_raw/STS_001/FDG_PET/image").volume
    crop = read_dicom_series(data / "sts/dicom/STS_001/PET/image").volume
    start = np.rint(raw.grid.indices(crop.affine[:3, 3])[0]).astype(int)
    part = raw.voxels[tuple(slice(a, a + n) for a, n in zip(start, crop.voxels.shape, strict=True))]
    return float(np.abs(part - crop.voxels).max())


def series_against_nifti(data: Path) -> tuple[int, float, list[float]]:
    """Number of sarcoma series, largest difference from their NIfTI, Dice of their RTSTRUCT with the NIfTI mask."""
    folders = sorted((data / "sts/dicom").iterdir())
    worst, dice = 0.0, []
    for folder in folders:
        volume = read_dicom_series(folder / "PET/image").volume
        other = data / "sts/nifti" / folder.name
        image = read_nifti(other / "PET_image.nii.gz", Unit.SUVBW)
        assert volume.grid.matches(image.grid)
        worst = max(worst, float(np.abs(volume.voxels - image.voxels).max()))
        ours = read_rtstruct(next((folder / "PET/mask").iterdir()), volume.grid).voxels
        theirs = read_mask(other / "PET_mask.nii.gz", image).voxels
        dice.append(2 * float((ours & theirs).sum()) / float(ours.sum() + theirs.sum()))
    return len(folders), worst, dice


def main() -> None:
    """Run all checks, print and write the tables; exit with 1 where a limit is not met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    data = Path(os.environ["POINTPET_DATA"])
    rows, remark, objects_hold = reference_objects(data)
    raw = raw_against_crop(data)
    count, worst, dice = series_against_nifti(data)
    text = f"""# DICOM against known answers

`python experiments/dicom_checks.py` · {VERSION}, pydicom {pydicom.__version__}, Python \
{platform.python_version()}

## Reference objects

17 digital reference objects for SUV (CC BY 4.0), imported in one run as one patient's tree. Minimum, median and maximum
SUVbw inside the mask are 0.20, 1.00 and 4.00 by construction. The step is what one stored integer is worth in the
coarsest slice: no reader can tell values apart that lie closer.

| Object | minimum | median | maximum | largest error | step, SUV | limit | met |
|---|---:|---:|---:|---:|---:|---:|---|
{chr(10).join(rows)}

{remark}

## Real scans

| Check | found | limit | met |
|---|---:|---:|---|
| raw STS_001 (BQML, decay-corrected to START) against its published crop (GML), largest difference in SUV | \
{raw:.2e} | {LIMIT_RAW:g} | {_yes(raw < LIMIT_RAW)} |
| {count} sarcoma series against their NIfTI, largest difference in SUV | {worst:.2e} | {LIMIT_STS:g} | \
{_yes(worst < LIMIT_STS)} |
| their RTSTRUCT rasterised here against the NIfTI masks, lowest Dice of {len(dice)} | {min(dice):.6f} | 1 | \
{_yes(min(dice) == 1)} |

Scans: Vallières 2015, soft-tissue sarcoma (TCIA, CC BY 3.0).
"""
    print(text)
    if arguments.out:
        write_text(arguments.out, text)
    if not (objects_hold and raw < LIMIT_RAW and worst < LIMIT_STS and min(dice) == 1 and count == 34):
        raise SystemExit(1)


def _yes(met: bool) -> str:
    return "yes" if met else "NO"


if __name__ == "__main__":
    main()
