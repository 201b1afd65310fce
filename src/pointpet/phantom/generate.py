"""One case of a digital FDG cohort: patient, lesions, scanner, outcome.

What a case is made of comes from random streams of its own, named by part. Only the stream of the tumour knows the
class; the patient, the organs, the distractors, the scanner and the noise never do, so that nothing but the tumour can
tell the classes apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pointpet.core import Acquisition, ConfigError, Grid, Mask, Volume, generator
from pointpet.phantom.abdomen import paint_abdomen
from pointpet.phantom.body import Patient, draw_patient, half_extent_mm, paint_body
from pointpet.phantom.distractors import paint_distractors
from pointpet.phantom.head import paint_head
from pointpet.phantom.lesions import (
    LOOKS,
    Lesion,
    draw_latents,
    draw_nodes,
    lung_tumour,
    oesophageal_tumour,
    paint_lesion,
    second_uptake,
)
from pointpet.phantom.outcomes import Outcomes, draw_outcomes
from pointpet.phantom.scanner import Scanner, add_noise, draw_scanner, native_axes, voxel_weights
from pointpet.phantom.scattered import scattered_lesions
from pointpet.phantom.shapes import Canvas, Field, resample
from pointpet.phantom.skeleton import paint_skeleton
from pointpet.phantom.thorax import Thorax, paint_thorax

PRESETS = ("default", "hard", "disease")

GRID_MM = 2.0
"""Edge of the cells that anatomy is painted on; shapes are anti-aliased, and the scanner's blur is three cells wide."""

Stream = Callable[[str], np.random.Generator]
"""Gives the random stream of a named part of the case."""

_HALF_LIFE_S = 6586.2
"""Half-life of F-18."""


@dataclass(frozen=True, eq=False)
class PhantomCase:
    """A generated case with its truth.

    Args:
        case_id: `P0001` for index 0. patient_id: one patient a case.
        site: the scanner's name.
        label: `lung` or `oesophagus`; `cancer` or `control` in the preset `disease`.
        volume: SUVbw on the scanner's grid, RAS+.
        mask: voxels at least half inside the sharp support of the main tumour's activity, its necrotic core included;
            never perturbed. All False for controls and for patients without their tumour. In the preset `disease` it
            holds every lesion of the patient.
        nodes: malignant nodes beside the tumour, disjoint from `mask`; all False in the preset `disease`.
        points_mm: (1, 3) world mm, a click near the centre of the (in `disease`: largest) tumour and inside it; (0, 3)
            where there is none.
        outcomes: endpoint name to 0 or 1; empty for controls.
        time_days, event: survival, death before 1095 days iff `survival3y` is 0; None for controls.
        acquisition: what a header would state.
        traits: latent traits (`latent_NAME`, standard normal), what they made of the (largest) tumour (see `Lesion`),
            the true `probability_ENDPOINT` of each outcome, and the numbers of `lesions` and `nodes`.
    """

    case_id: str
    patient_id: str
    site: str
    label: str
    volume: Volume
    mask: Mask
    nodes: Mask
    points_mm: NDArray[np.float64]
    outcomes: dict[str, int]
    time_days: float | None
    event: int | None
    acquisition: Acquisition
    traits: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class _Scene:
    """A patient without lesions, ready for them."""

    patient: Patient
    scanner: Scanner
    thorax: Thorax
    canvas: Canvas
    native: tuple[NDArray, NDArray, NDArray]


def assigned_label(index: int, *, patients: int, seed: int, preset: str) -> str:
    """Class of case `index`: balanced, in random order within each pair; an odd last case has the first class."""
    first, second = ("cancer", "control") if preset == "disease" else ("lung", "oesophagus")
    if index == patients - 1 and patients % 2:
        return first
    swap = int(generator(seed, "phantom", preset, "label", index // 2).integers(2))
    return (first, second)[(index + swap) % 2]


def generate_case(index: int, *, patients: int, seed: int, preset: str, tumour: bool = True) -> PhantomCase:
    """Generate case `index` of a cohort.

    Args:
        index: 0 to `patients` - 1.
        patients: size of the cohort; matters for the class of an odd last case alone.
        seed: the cohort's seed.
        preset: one of `PRESETS`.
        tumour: False gives the identical patient with tumour and nodes removed.

    Raises:
        ConfigError: unknown preset, or index outside the cohort.
    """
    _require_known(index, patients, preset)

    def stream(part: str) -> np.random.Generator:
        return generator(seed, "phantom", preset, index, part)

    label = assigned_label(index, patients=patients, seed=seed, preset=preset)
    latents = draw_latents(stream("latents"))
    scene = _build_scene(preset, stream)
    lesions, nodes, benign = _draw_lesions(scene, label, preset, latents, stream) if tumour else ([], [], [])
    # Lesions that overlap take the later one's uptake: the main tumour comes last and stays whole.
    canvas = scene.canvas.scaled(scene.patient.scale)
    for lesion in [*benign, *nodes, *reversed(lesions)]:
        paint_lesion(canvas, lesion)
    image, mask, node_mask = _scan(scene, canvas, lesions, nodes, stream("noise"))
    world = _world(scene, stream("couch"))
    clicks = _click(scene, canvas, lesions, stream("click"))
    outcomes = draw_outcomes(latents, stream("outcome"))
    diseased = label != "control"
    return PhantomCase(
        case_id=f"P{index + 1:04d}",
        patient_id=f"P{index + 1:04d}",
        site=scene.scanner.site,
        label=label,
        volume=Volume(image, world),
        mask=Mask(mask, world),
        nodes=Mask(node_mask, world),
        points_mm=np.round(Grid(image.shape, world).world(clicks), 2),
        outcomes=outcomes.values if diseased else {},
        time_days=outcomes.time_days if diseased else None,
        event=outcomes.event if diseased else None,
        acquisition=_acquisition(scene.patient, scene.scanner, stream("acquisition")),
        traits=_traits(latents, lesions, nodes, outcomes if diseased else None),
    )


def _require_known(index: int, patients: int, preset: str) -> None:
    if preset not in PRESETS:
        raise ConfigError(
            "PP-PHANTOM-PRESET", "preset", f"must be one of {', '.join(PRESETS)}, got {preset!r}", "Choose one of them"
        )
    if not 0 <= index < patients:
        raise ConfigError(
            "PP-PHANTOM-INDEX", "index", f"must be 0 to {patients - 1}, got {index}", "Ask for a case of the cohort"
        )


def _traits(
    latents: dict[str, float], lesions: list[Lesion], nodes: list[Lesion], outcomes: Outcomes | None
) -> dict[str, float]:
    """All that is known of a case's tumour and of its chances, by name."""
    traits = {f"latent_{name}": value for name, value in latents.items()}
    if lesions:
        traits |= lesions[0].traits
    if outcomes:
        traits |= {f"probability_{name}": chance for name, chance in outcomes.probabilities.items()}
    return {**traits, "lesions": float(len(lesions)), "nodes": float(len(nodes))}


def _build_scene(preset: str, stream: Stream) -> _Scene:
    """Draw the patient and the scanner, and paint everything that is not a lesion."""
    patient = draw_patient(stream("patient"))
    scanner = draw_scanner(stream("scanner"), preset)
    tall = patient.scale[2]
    native = native_axes(scanner, patient.bottom_mm * tall, patient.top_mm * tall)
    wide, deep = half_extent_mm(patient)
    ranges = ((-wide, wide), (-deep, deep), (patient.bottom_mm - 8 / tall, patient.top_mm + 8 / tall))
    axes = [np.arange(low, high, GRID_MM / k) for (low, high), k in zip(ranges, patient.scale, strict=True)]
    canvas = Canvas(axes)
    breath = float(stream("breath").normal(0, 8))
    paint_body(canvas, patient, stream("body"))
    thorax = paint_thorax(canvas, stream("thorax"), breath_mm=breath)
    paint_skeleton(canvas, patient, stream("skeleton"))
    paint_abdomen(canvas, patient, stream("abdomen"), breath_mm=breath)
    paint_head(canvas, stream("head"))
    if preset == "hard":
        paint_distractors(canvas, patient, thorax, stream("distractors"))
    return _Scene(patient, scanner, thorax, canvas, native)


def _draw_lesions(
    scene: _Scene, label: str, preset: str, latents: dict[str, float], stream: Stream
) -> tuple[list[Lesion], list[Lesion], list[Lesion]]:
    """The tumour (or all lesions of the preset `disease`, the largest first), nodes, and benign uptake beside it."""
    canvas, scale, look = scene.canvas.scaled(scene.patient.scale), scene.patient.scale, LOOKS[preset]
    if label == "control":
        return [], [], []
    if preset == "disease":
        return scattered_lesions(canvas, scene.thorax, scale, latents, rng=stream("tumour")), [], []
    draw = lung_tumour if label == "lung" else oesophageal_tumour
    main = draw(canvas, scene.thorax, scale, latents, look=look, rng=stream("tumour"))
    nodes = draw_nodes(canvas, scale, look, stream("nodes"))
    benign = second_uptake(canvas, main, look, stream("second"))
    return [main], [item for item in nodes if _apart(item, main)], [item for item in benign if _apart(item, main)]


def _apart(item: Lesion, main: Lesion) -> bool:
    """True where a node's support does not meet the tumour's."""
    first, second = [], []
    for a, b in zip(item.patch.slices, main.patch.slices, strict=True):
        low, high = max(a.start, b.start), min(a.stop, b.stop)
        if high <= low:
            return True
        first.append(slice(low - a.start, high - a.start))
        second.append(slice(low - b.start, high - b.start))
    return not bool(((item.support[tuple(first)] > 0.01) & (main.support[tuple(second)] > 0.01)).any())


def _scan(
    scene: _Scene, canvas: Canvas, lesions: list[Lesion], nodes: list[Lesion], rng: np.random.Generator
) -> tuple[Field, NDArray[np.bool_], NDArray[np.bool_]]:
    """Blur, resample and add noise; lay lesions' supports onto the same grid."""
    scanner = scene.scanner
    weights = [
        voxel_weights(axis, native, scanner.blur_mm) for axis, native in zip(canvas.axes, scene.native, strict=True)
    ]
    clean = resample(canvas.activity, (weights[0], weights[1], weights[2]))
    girth = float(np.mean(scene.patient.scale[:2])) + 0.006 * scene.patient.fat_mm
    image = add_noise(clean, scanner, rng, girth=girth)
    mask = _support(scene, canvas, lesions)
    return image, mask, _support(scene, canvas, nodes) & ~mask


def _support(scene: _Scene, canvas: Canvas, lesions: list[Lesion]) -> NDArray[np.bool_]:
    """Voxels of the scanner's grid at least half covered by the lesions' sharp support."""
    shape = tuple(axis.size for axis in scene.native)
    covered = np.zeros(shape, bool)
    for lesion in lesions:
        target, weights = [], []
        for axis, cut, native in zip(canvas.axes, lesion.patch.slices, scene.native, strict=True):
            matrix = voxel_weights(axis[cut], native, 0.0)
            touched = np.flatnonzero(matrix.any(axis=1))
            if touched.size == 0:
                break
            target.append(slice(int(touched[0]), int(touched[-1]) + 1))
            weights.append(matrix[target[-1]])
        else:
            share = resample(lesion.support, (weights[0], weights[1], weights[2]))
            # A lesion smaller than a voxel still has its hottest one.
            covered[tuple(target)] |= share >= min(0.5, float(share.max()))
    return covered


def _world(scene: _Scene, rng: np.random.Generator) -> NDArray[np.float64]:
    """Affine of the scanner's grid: the table's height and the landmark differ from scan to scan."""
    affine = np.eye(4)
    for i, axis in enumerate(scene.native):
        affine[i, i] = axis[1] - axis[0]
        affine[i, 3] = axis[0]
    affine[:3, 3] += [0.0, rng.uniform(-30, 5), -scene.native[2][-1] - rng.uniform(-60, 60)]
    affine[:3, 3] = np.round(affine[:3, 3], 3)
    return affine


def _click(scene: _Scene, canvas: Canvas, lesions: list[Lesion], rng: np.random.Generator) -> NDArray[np.float64]:
    """Where a reader clicks, in voxels (N, 3): the main lesion's centre give or take a few millimetres, inside it."""
    if not lesions:
        return np.zeros((0, 3))
    main = lesions[0]
    edge = np.array([axis[1] - axis[0] for axis in scene.native])
    inside = np.argwhere(_support(scene, canvas, [main]))
    spread_mm = min(3.0, 0.12 * (6 / np.pi * 1000 * main.traits["volume_ml"]) ** (1 / 3))
    wanted = inside.mean(axis=0) + rng.normal(0, spread_mm, 3) / edge
    nearest = inside[int(np.argmin((((inside - wanted) * edge) ** 2).sum(axis=1)))]
    return np.clip(wanted, nearest - 0.49, nearest + 0.49)[None]


def _acquisition(patient: Patient, scanner: Scanner, rng: np.random.Generator) -> Acquisition:
    return Acquisition(
        weight_kg=patient.weight_kg,
        height_m=patient.height_m,
        sex=patient.sex,
        dose_bq=float(np.round(patient.weight_kg * rng.uniform(3.0, 5.0)) * 1e6),
        half_life_s=_HALF_LIFE_S,
        uptake_s=float(np.round(np.clip(rng.normal(3720, 360), 3000, 5400))),
        frame_s=float(rng.choice([90, 120, 150, 180])),
        glucose_mmol_l=float(np.round(np.clip(rng.normal(5.6, 0.8), 3.9, 9.5), 1)),
        manufacturer="pointpet",
        model=f"digital {scanner.site}",
        blur_mm=scanner.blur_mm,
    )
