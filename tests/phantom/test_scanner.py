import numpy as np
import pytest

from pointpet.phantom.scanner import (
    HARD_SCANNERS,
    SCANNERS,
    SUV_STEP,
    Scanner,
    add_noise,
    draw_scanner,
    native_axes,
    voxel_weights,
)

FINE = np.arange(-60, 60, 2.0)
NATIVE = np.arange(-30, 31, 4.06)


@pytest.mark.parametrize("blur", [0.0, 5.0, 7.0])
def test_weights_keep_a_constant(blur: float) -> None:
    np.testing.assert_allclose(voxel_weights(FINE, NATIVE, blur).sum(axis=1), 1, atol=2e-3)


def test_weights_without_blur_are_the_mean_over_the_voxel() -> None:
    weights = voxel_weights(np.array([0.5, 1.5, 2.5, 3.5, 4.5, 5.5]), np.array([1.0, 3.0, 5.0]), 0.0)
    np.testing.assert_allclose(weights, np.kron(np.eye(3), [[0.5, 0.5]]), atol=1e-6)


def test_blur_has_the_stated_width() -> None:
    fine = np.arange(-40, 40, 0.5)
    line = voxel_weights(fine, fine, 6.0)[:, fine.size // 2]
    wide = fine[line >= line.max() / 2]
    assert np.ptp(wide) + 0.5 == pytest.approx(6.0, abs=0.6)


def test_noise_has_the_stated_size_and_keeps_the_mean() -> None:
    scanner = Scanner("x", 4.0, 3.0, 40, 6.0, 0.12)
    clean = np.zeros((40, 40, 60), np.float32)
    clean[8:32, 8:32] = 2.25
    noisy = add_noise(clean, scanner, np.random.default_rng(0), girth=1.0)
    inside = noisy[10:30, 10:30]
    assert inside.mean() == pytest.approx(2.25, rel=0.02)
    # At the reference activity of 2.25 the coefficient of variation is the scanner's.
    assert inside.std() / inside.mean() == pytest.approx(0.12, rel=0.15)
    neighbours = (inside[:-1] - inside.mean()) * (inside[1:] - inside.mean())
    assert neighbours.mean() / inside.var() > 0.5


def test_noise_leaves_air_empty_and_suv_on_steps() -> None:
    clean = np.zeros((30, 30, 20), np.float32)
    clean[10:20, 10:20] = 1.0
    noisy = add_noise(clean, SCANNERS[0], np.random.default_rng(0), girth=1.0)
    assert noisy[:7].max() == 0
    assert noisy.min() >= 0
    np.testing.assert_array_equal(noisy, np.round(noisy / SUV_STEP) * SUV_STEP)


def test_grid_has_the_scanner_s_voxels_and_length() -> None:
    across, _, along = native_axes(SCANNERS[0], -200.0, 760.0)
    assert np.diff(across) == pytest.approx(4.06)
    assert across.mean() == pytest.approx(0, abs=1e-9)
    assert along.size * 2.0 == pytest.approx(960)
    assert along[0] == pytest.approx(-199)


def test_scanners_blur_five_to_seven_millimetres_and_include_the_usual_voxel() -> None:
    drawn = [draw_scanner(np.random.default_rng(seed), "hard") for seed in range(60)]
    assert {scanner.site for scanner in drawn} == {scanner.site for scanner in HARD_SCANNERS}
    assert all(5.0 <= scanner.blur_mm <= 7.0 for scanner in drawn)
    assert (4.06, 2.0) in {(scanner.pixel_mm, scanner.slice_mm) for scanner in SCANNERS}
    plain = {draw_scanner(np.random.default_rng(seed), "default").site for seed in range(60)}
    assert plain == {scanner.site for scanner in SCANNERS}
