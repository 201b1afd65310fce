import numpy as np

from pointpet.core import ActivationMap, Plane
from pointpet.localise import LocaliseSettings
from pointpet.localise.peaks import pair_centres, peak_cells


def test_peaks_are_separate_and_over_the_threshold(blobs):
    values = np.zeros((40, 50), np.float32)
    values[10, 10], values[12, 10], values[30, 40], values[20, 25] = 1.0, 0.9, 0.6, 0.2
    found = peak_cells(ActivationMap(values, Plane.CORONAL, "lung", 4.0, np.zeros(3)), LocaliseSettings())
    assert found.tolist() == [[10, 10], [30, 40]]


def test_pairs_agree_on_z_and_come_best_first():
    def spots(plane, *cells):
        values = np.zeros((40, 50), np.float32)
        for u, z, height in cells:
            values[u, z] = height
        return ActivationMap(values, plane, "lung", 4.0, np.array([10.0, 20.0, 30.0]))

    maps = {
        Plane.CORONAL: spots(Plane.CORONAL, (5, 10, 1.0), (30, 40, 0.5)),
        Plane.SAGITTAL: spots(Plane.SAGITTAL, (8, 12, 0.9), (25, 40, 1.0)),
    }
    found = pair_centres(maps, LocaliseSettings(z_disagreement_mm=8.0))
    np.testing.assert_allclose(found, [[10 + 20, 20 + 32, 30 + 44], [10 + 120, 20 + 100, 30 + 160]])
