"""The texture matrices of a region, counted voxel by voxel of the mask: the time follows the tumour, not its box.

Neighbours are the 26 voxels at Chebyshev distance 1; every count is over the whole volume and all directions. The
features are no part of this module: they are a library's formulas over these counts.

Shape letters: N voxels of the intensity mask, R rows of a matrix.

Source: IBSI reference manual v11, sections 3.6 to 3.11.
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

from pointpet.image.crop import bounding_box
from pointpet.quantify.radiomics.region import Region

NEIGHBOURS = tuple(step for step in product((-1, 0, 1), repeat=3) if any(step))
DIRECTIONS = NEIGHBOURS[len(NEIGHBOURS) // 2 :]
"""One of each pair of opposite neighbours."""


class Counts(NamedTuple):
    """One matrix in its sparse form: row r says that the pair (first[r], second[r]) occurs times[r] times.

    Args:
        first: (R,) grey level. second: (R,) grey level, run length, zone size, zone distance or dependence, from 1.
        times: (R,) occurrences.
    """

    first: NDArray
    second: NDArray
    times: NDArray


class ToneDifferences(NamedTuple):
    """The neighbourhood grey tone difference matrix, one row a grey level that has voxels with a neighbour.

    Args:
        level: (R,) grey level. difference: (R,) sum of |level - mean of the neighbours|. times: (R,) voxels.
    """

    level: NDArray
    difference: NDArray
    times: NDArray


class Texture:
    """The matrices of one region.

    Args:
        region: resampled and discretised.
    """

    def __init__(self, region: Region) -> None:
        box = bounding_box(region.shape)
        assert box is not None
        inside = region.inside[box]
        # One voxel of level 0, which is no level, around the box: a neighbour's place is then never out of bounds.
        self._levels = np.ascontiguousarray(np.pad(np.where(inside, region.levels[box], 0), 1))
        self._shape = np.ascontiguousarray(np.pad(region.shape[box], 1))
        self._flat = self._levels.ravel()
        self._places = np.flatnonzero(self._flat)
        self._own = self._flat[self._places]
        self._strides = np.array(self._levels.strides) // self._levels.itemsize

    @property
    def voxels(self) -> int:
        """N."""
        return len(self._places)

    @property
    def highest_level(self) -> int:
        """The highest grey level."""
        return int(self._own.max())

    def co_occurrences(self) -> Counts:
        """Pairs of levels of neighbours, each pair both ways (3.6). `second`: the neighbour's level."""
        known, rank = np.unique(self._own, return_inverse=True)
        ranks = np.full(len(self._flat), -1)
        ranks[self._places] = rank
        shape = (len(known), len(known))
        pairs = sparse.csr_array(shape, dtype=np.int64)
        for step in DIRECTIONS:
            other = ranks[self._places + self._offset(step)]
            pairs += _occurrences(rank[other >= 0], other[other >= 0], shape)
        pairs = sparse.coo_array(pairs + pairs.T)
        return Counts(known[pairs.row].astype(float), known[pairs.col].astype(float), pairs.data)

    def runs(self) -> Counts:
        """Runs of one level along each direction (3.7). `second`: their length."""
        levels, lengths = [], []
        for step in DIRECTIONS:
            offset = self._offset(step)
            begins = self._places[self._flat[self._places - offset] != self._own]
            level, length = self._flat[begins], np.ones(len(begins), np.int64)
            going, end = np.arange(len(begins)), begins + offset
            while len(going):
                going_on = self._flat[end] == level[going]
                going, end = going[going_on], end[going_on] + offset
                length[going] += 1
            levels.append(level)
            lengths.append(length)
        return _count(np.concatenate(levels), np.concatenate(lengths))

    def zones(self) -> tuple[Counts, Counts]:
        """Connected voxels of one level: their sizes (3.8) and their distances from the mask's border (3.9)."""
        zone = cc3d.connected_components(self._levels, connectivity=26).ravel()[self._places].astype(np.int64)
        size = np.bincount(zone)[1:]
        level = np.zeros(len(size), self._own.dtype)
        level[zone - 1] = self._own
        # Steps of the face-neighbours' metric out of the morphological mask: erosions until the voxel is gone.
        steps = np.asarray(ndimage.distance_transform_cdt(self._shape, metric="taxicab"), np.int64)
        depth = steps.ravel()[self._places]
        distance = np.full(len(size), depth.max())
        np.minimum.at(distance, zone - 1, depth)
        return _count(level, size), _count(level, distance)

    def neighbourhoods(self) -> tuple[ToneDifferences, Counts]:
        """Grey tone differences (3.10), and how many neighbours, itself included, share a voxel's level (3.11)."""
        total, neighbours, alike = (np.zeros(self.voxels, np.int64) for _ in range(3))
        for step in NEIGHBOURS:
            other = self._flat[self._places + self._offset(step)]
            total += other
            neighbours += other > 0
            alike += other == self._own
        known = neighbours > 0
        levels, place, count = np.unique(self._own[known], return_inverse=True, return_counts=True)
        difference = np.abs(self._own[known] - total[known] / neighbours[known])
        tones = ToneDifferences(levels.astype(float), np.bincount(place, difference, len(levels)), count)
        return tones, _count(self._own, alike + 1)

    def _offset(self, step: tuple[int, ...]) -> int:
        return int(np.dot(step, self._strides))


def _count(first: NDArray, second: NDArray) -> Counts:
    """How often each pair occurs, sorted."""
    rows = _occurrences(first, second, (int(first.max()) + 1, int(second.max()) + 1)).tocoo()
    return Counts(rows.row.astype(float), rows.col.astype(float), rows.data)


def _occurrences(first: NDArray, second: NDArray, shape: tuple[int, int]) -> sparse.csr_array:
    """How often each pair of numbers occurs: time and memory follow the pairs, not the largest number."""
    found = sparse.csr_array(sparse.coo_array((np.ones(len(first), np.int64), (first, second)), shape=shape))
    found.sum_duplicates()
    return found
