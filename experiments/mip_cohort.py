"""Turn a cohort with PET volumes (a phantom's, say) into one of ready-made MIP images with 2D masks and pixel points.

    pointpet phantom /tmp/disease --preset disease --patients 160
    python experiments/mip_cohort.py /tmp/disease/cohort.csv /tmp/mips --views coronal --pixel-mm 4 --inverted
    pointpet study /tmp/mips/cohort.csv -o /tmp/study --methods proposed,cam_alone

With --vary the images differ as those of several archives do: each case is cut at the head or the thighs at times, has
a window and a grey scale of its own that the manifest does not state, and more noise.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointpet.core import Case, MipPair, Plane, generator, to_picture
from pointpet.io.cohort_csv import PIXELS, read_cohort, write_cohort, write_points
from pointpet.io.mip_pictures import write_picture
from pointpet.pipeline.inputs import read_case, read_case_mask
from pointpet.project import project, project_mask

KINDS = {"png8": (".png", np.uint8), "png16": (".png", np.uint16), "npy": (".npy", np.float32)}
CUT_CHANCE = 0.3
MOST_CUT = 0.15
"""Chance that an end of a varied picture is cut, and the largest share of its rows that goes."""


@dataclass(frozen=True)
class Look:
    """How one case's images are written.

    Args:
        window_suv: SUV of the largest grey value.
        gain: what SUV are multiplied by before the window, unknown to the reader.
        noise: standard deviation of noise, as a share of the root of SUV.
        top, bottom: share of the rows that is cut off.
    """

    window_suv: float
    gain: float = 1.0
    noise: float = 0.0
    top: float = 0.0
    bottom: float = 0.0


def draw_look(window_suv: float, rng: np.random.Generator) -> Look:
    """A look of `--vary`."""
    cuts = [float(rng.uniform(0, MOST_CUT)) if rng.random() < CUT_CHANCE else 0.0 for _ in range(2)]
    gain = float(np.exp(rng.normal(0, 0.5)))
    return Look(window_suv * float(rng.uniform(0.7, 1.5)), gain, float(rng.uniform(0.0, 0.15)), *cuts)


def picture_rows(height: int, look: Look, points: NDArray) -> slice:
    """Rows that stay: the cuts never take a point."""
    top, bottom = round(look.top * height), height - round(look.bottom * height)
    if len(points):
        top = min(top, max(0, int(points[:, 0].min()) - 2))
        bottom = max(bottom, min(height, int(points[:, 0].max()) + 3))
    return slice(top, bottom)


def grey(picture: NDArray, look: Look, kind: str, *, inverted: bool, rng: np.random.Generator) -> NDArray:
    """SUV as grey values of a kind."""
    noisy = picture + look.noise * np.sqrt(np.maximum(picture, 0.05)) * rng.standard_normal(picture.shape)
    shown = np.clip(noisy * look.gain, 0, look.window_suv if kind != "npy" else None)
    if kind == "npy":
        return (look.window_suv - shown if inverted else shown).astype(np.float32)
    largest = np.iinfo(KINDS[kind][1]).max
    levels = np.rint(shown / look.window_suv * largest)
    return (largest - levels if inverted else levels).astype(KINDS[kind][1])


def write_case(case: Case, arguments: argparse.Namespace) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Write one case's images; its row of cohort.csv, and its rows of points.csv."""
    rng = generator(arguments.seed, "mip images", case.case_id)
    look = draw_look(arguments.window_suv, rng) if arguments.vary else Look(arguments.window_suv)
    volume = read_case(case).volume
    mips = project(volume, pixel_mm=arguments.pixel_mm)
    truth: Mapping[Plane, NDArray] = {}
    if case.mask is not None:
        truth = project_mask(read_case_mask(case, volume), pixel_mm=arguments.pixel_mm)
    row: dict[str, Any] = {"case_id": case.case_id, "patient_id": case.patient_id, "site": case.site}
    row |= {"label": case.label, "pixel_mm": arguments.pixel_mm, "mip_inverted": int(arguments.inverted)}
    row |= {"mip_scale": None if arguments.vary or arguments.no_scale else arguments.window_suv}
    further: list[dict[str, Any]] = [{"case_id": case.case_id} for _ in case.points_mm[1:]]
    for plane in map(Plane, arguments.views):
        row |= write_view(case, mips, plane, truth.get(plane), look=look, arguments=arguments, rng=rng, further=further)
    return row, further


def write_view(
    case: Case,
    mips: MipPair,
    plane: Plane,
    truth: NDArray | None,
    *,
    look: Look,
    arguments: argparse.Namespace,
    rng: np.random.Generator,
    further: list[dict[str, Any]],
) -> dict[str, Any]:
    """Write one view and its mask; the row's cells. Further points are added to `further`."""
    points = mips.pixels(plane, case.points_mm) if len(case.points_mm) else np.zeros((0, 2))
    kept = picture_rows(mips.picture(plane).shape[0], look, points)
    ending = KINDS[arguments.kind][0]
    image = arguments.out / "images" / f"{case.case_id}_{plane}{ending}"
    picture = mips.picture(plane)[kept]
    write_picture(image, grey(picture, look, arguments.kind, inverted=arguments.inverted, rng=rng))
    cells: dict[str, Any] = {f"mip_{plane}": image}
    if truth is not None:
        mask = arguments.out / "masks" / f"{case.case_id}_{plane}.png"
        write_picture(mask, to_picture(truth)[kept].astype(np.uint8) * 255)
        cells[f"mask_{plane}"] = mask
    names = PIXELS[plane]
    places = np.round(points - [kept.start, 0], 1)
    for number, place in enumerate(places.tolist()):
        (cells if number == 0 else further[number - 1]).update(zip(names, place, strict=True))
    return cells


def parse() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cohort", type=Path, help="cohort.csv with PET volumes and masks")
    parser.add_argument("out", type=Path, help="folder for images, masks, cohort.csv, points.csv")
    parser.add_argument("--views", nargs="+", default=["coronal"], choices=[plane.value for plane in Plane])
    parser.add_argument("--pixel-mm", type=float, default=4.0)
    parser.add_argument("--kind", default="png8", choices=tuple(KINDS))
    parser.add_argument("--window-suv", type=float, default=10.0, help="SUV of the largest grey value")
    parser.add_argument("--no-scale", action="store_true", help="leave mip_scale blank")
    parser.add_argument("--inverted", action="store_true", help="dark is hot")
    parser.add_argument("--vary", action="store_true", help="cut, rescale and roughen each case, scale not stated")
    parser.add_argument("--seed", type=int, default=0, help="of --vary")
    arguments = parser.parse_args()
    if arguments.kind == "npy" and arguments.inverted and (arguments.vary or arguments.no_scale):
        parser.error("an inverted NPY needs its scale in the manifest: drop --inverted, --vary or --no-scale")
    return arguments


def main() -> None:
    """Write every case, then the manifest."""
    arguments = parse()
    rows, further = [], []
    for case in read_cohort(arguments.cohort):
        row, more = write_case(case, arguments)
        rows.append(row)
        further += more
    write_cohort(arguments.out / "cohort.csv", rows)
    if further:
        write_points(arguments.out / "points.csv", further)
    print(f"{arguments.out / 'cohort.csv'}: {len(rows)} cases")


if __name__ == "__main__":
    main()
