"""Clicked lesions shown in patients without any: a MIP with one more lesion is the larger of two at each pixel.

Few patients are clicked, and a network soon knows them all by heart. A lesion that was clicked, pasted into a control,
is a new patient whose every lesion is clicked, and whose physiology the network sees without the lesion as well.
Needs no torch. Shape letters: S pixels along the edge of a patch.

Source: copy-paste augmentation, Ghiasi et al., CVPR 2021; the maximum in place of pasting is what projection does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pointpet.core import Plane
from pointpet.learn.settings import TrainingSettings

REACH_MM = 64.0
"""Farthest that a patch reaches from its lesion's peak."""

HOTTER = 1.25
"""Times the clicked peak: a region that holds more has run into something else."""

LARGEST_CM2 = 50.0
"""What is larger at half of the peak has run into its surroundings and is no lesion's outline."""

EDGE_SHARE = 0.5
"""Share of the peak at which a lesion is cut out; a pixel more is taken for its blur."""

SPREAD_MM = 80.0
"""Standard deviation of a new place about the old one, or about its mirror image: organs differ, anatomy holds."""

DIMMING = (0.6, 1.2)
SHRINKING = (0.5, 1.0)
"""Range of the factors of uptake and, half of the time, of size: the lesions that nobody clicked are smaller."""

LEAST_CONTRAST = 1.5
"""Times its new surroundings that a lesion must take up to be seen there."""

LEAST_SUV = 0.3
"""Under it is air, where no lesion is."""

TRIES = 10


class Receiver(Protocol):
    """A view as `batches.View` describes it."""

    @property
    def values(self) -> NDArray[np.float32]: ...
    @property
    def points(self) -> NDArray[np.float64]: ...
    @property
    def plane(self) -> Plane: ...
    @property
    def label(self) -> int: ...


View = TypeVar("View", bound=Receiver)


@dataclass(frozen=True, eq=False)
class Donor:
    """A clicked lesion.

    Args:
        patch: (S, S) float32, 0 outside the lesion; its peak is in the middle.
        place: (2,) of the peak from the middle of its view, in pixels.
        plane, label: of its view.
    """

    patch: NDArray[np.float32]
    place: NDArray[np.float64]
    plane: Plane
    label: int


class Transplants(NamedTuple):
    """What is transplanted, and into views of which classes (their indices): those without lesions."""

    donors: Sequence[Donor] = ()
    controls: frozenset[int] = frozenset()


def transplants_of(views: Sequence[Receiver], controls: frozenset[int], settings: TrainingSettings) -> Transplants:
    """The lesions at the first point of each view of other classes, of those that can be cut out."""
    pointed = [view for view in views if len(view.points) and view.label not in controls]
    found = ((view, _cut_out(view, settings)) for view in pointed)
    donors = [
        Donor(patch, view.points[0] - np.array(view.values.shape) / 2, view.plane, view.label)
        for view, patch in found
        if patch is not None
    ]
    return Transplants(donors, controls)


def _cut_out(view: Receiver, settings: TrainingSettings) -> NDArray[np.float32] | None:
    reach = round(REACH_MM / settings.input_mm)
    padded = np.pad(view.values, reach + 1)
    row, column = np.clip(np.rint(view.points[0]).astype(int), 0, np.array(view.values.shape) - 1) + reach + 1
    near = padded[row - 1 : row + 2, column - 1 : column + 2]
    up, left = np.unravel_index(int(near.argmax()), near.shape)
    row, column = row + int(up) - 1, column + int(left) - 1
    window = np.pad(padded, reach)[row : row + 2 * reach + 1, column : column + 2 * reach + 1]
    labels, _ = ndimage.label(window >= EDGE_SHARE * window[reach, reach])  # type: ignore[misc]
    lesion = labels == labels[reach, reach]
    peak, area_cm2 = window[reach, reach], np.count_nonzero(lesion) * settings.input_mm**2 / 100
    if peak <= 0 or area_cm2 > LARGEST_CM2 or window[lesion].max() > HOTTER * peak:
        return None
    return np.where(ndimage.binary_dilation(lesion), window, np.float32(0))


def transplanted(
    views: Sequence[View], known: Transplants, settings: TrainingSettings, random: np.random.Generator
) -> Iterator[View]:
    """The views of a batch, of which some of controls show a donor's lesion, with its class and a point on it.

    Args:
        settings: `transplant` is the share of such views among those of controls.
        random: where every choice comes from.
    """
    for view in views:
        suited = [donor for donor in known.donors if donor.plane is view.plane]
        if view.label not in known.controls or not suited or random.random() >= settings.transplant:
            yield view
        else:
            yield _with_lesion(view, suited[int(random.integers(len(suited)))], settings, random)


def _with_lesion(view: View, donor: Donor, settings: TrainingSettings, random: np.random.Generator) -> View:
    """`view` with the donor's lesion; itself where no place was found that shows it."""
    patch, reach = _varied(donor, random), len(donor.patch) // 2
    size = np.array(view.values.shape)
    ceiling = settings.suv_ceiling
    for _ in range(TRIES):
        side = random.choice((-1, 1)) if view.plane is Plane.CORONAL else 1
        place = size / 2 + donor.place * [1, side] + random.normal(0, SPREAD_MM / settings.input_mm, 2)
        row, column = np.rint(place).astype(int)
        if not (1 <= row < size[0] - 1 and 1 <= column < size[1] - 1):
            continue
        here = view.values[row - 1 : row + 2, column - 1 : column + 2]
        if here.min() > LEAST_SUV / ceiling and patch[reach, reach] > LEAST_CONTRAST * here.max():
            padded = np.pad(view.values, reach)
            window = padded[row : row + 2 * reach + 1, column : column + 2 * reach + 1]
            np.maximum(window, patch, out=window)
            values = np.minimum(padded[reach:-reach, reach:-reach], 1)
            points = np.array([[row, column]], np.float64)
            return replace(view, values=values, points=points, label=donor.label, own_label=view.label)  # type: ignore[type-var]
    return view


def _varied(donor: Donor, random: np.random.Generator) -> NDArray[np.float32]:
    """The donor's patch, dimmed or brightened, at times smaller, at times mirrored."""
    patch = donor.patch * np.float32(random.uniform(*DIMMING))
    if random.random() < 0.5:
        middle, factor = len(patch) // 2, 1 / random.uniform(*SHRINKING)
        patch = ndimage.affine_transform(patch, np.full(2, factor), offset=middle * (1 - factor), order=1)
    return patch[:, ::-1] if donor.plane is Plane.CORONAL and random.random() < 0.5 else patch
