"""Makes the guide's pictures: docs/images/case.png and docs/images/distance_losses.svg.

    python docs/picture.py STUDY

STUDY is a study on phantoms with the method `proposed` (`python experiments/accuracy.py` makes one). The case shown is
the one of median Dice: neither the best nor the worst.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

IMAGES = Path(__file__).resolve().parent / "images"
CELL_MM, SIZE = 8.0, (48, 32)


def median_case(study: Path) -> tuple[str, float]:
    """The case of `proposed` whose Dice is the median, the lower one of two."""
    table = pd.read_csv(study / "tables" / "segmentation.csv")
    own = table.loc[(table["method"] == "proposed").to_numpy()].dropna(subset=["dice"]).sort_values(["dice", "case_id"])
    row = own.iloc[(len(own) - 1) // 2]
    return str(row["case_id"]), float(row["dice"])


def draw_losses(path: Path) -> None:
    """Each reading of the distance loss for a round map whose peak lies so far from the point."""
    import torch

    from pointpet.learn.losses import READINGS, MapTargets
    from pointpet.learn.settings import TrainingSettings

    rows, columns = np.indices(SIZE)
    offsets = np.arange(0, 24)
    blobs = [np.exp(-((rows - 20 - off) ** 2 + (columns - 16) ** 2) / (2 * 2.0**2)) for off in offsets]
    maps = torch.tensor(np.stack(blobs), dtype=torch.float32) * 8 - 1
    points = torch.tensor([[[20.0, 16.0]]]).repeat(len(maps), 1, 1)
    targets = MapTargets(points, torch.ones(maps.shape, dtype=torch.bool), CELL_MM)
    plt.rcParams |= {"svg.hashsalt": "pointpet", "svg.fonttype": "none"}
    figure, panel = plt.subplots(figsize=(7, 3.4), layout="constrained")
    for name, reading in READINGS.items():
        loss = reading(maps, targets, TrainingSettings())
        panel.plot(offsets * CELL_MM, loss / loss.max(), label=name, linewidth=2.4 if name == "margin" else 1.1)
    panel.set(xlabel="distance of the map's peak from the point, mm", ylabel="loss, share of its largest value")
    panel.spines[["top", "right"]].set_visible(False)
    panel.legend(frameon=False, fontsize=8)
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    study = Path(sys.argv[1])
    case_id, dice = median_case(study)
    IMAGES.mkdir(exist_ok=True)
    shutil.copyfile(study / "predictions" / "proposed" / case_id / "mip.png", IMAGES / "case.png")
    draw_losses(IMAGES / "distance_losses.svg")
    print(f"case of median Dice: {case_id}, {dice:.2f}")


if __name__ == "__main__":
    main()
