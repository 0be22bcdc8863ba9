"""Locating a core whose position is known."""

import numpy as np
import pytest

from kernels.cores import locate_core

BURGERS = np.array([0.0, 0.0, 2.5])


def screw(points: np.ndarray) -> np.ndarray:
    """The isotropic screw dislocation's exact displacement."""
    return np.outer(np.arctan2(points[:, 1], points[:, 0]) / (2.0 * np.pi), BURGERS)


def lattice() -> np.ndarray:
    axis = np.arange(-25.0, 26.0, 2.3)
    return np.stack(np.meshgrid(axis + 0.4, axis - 0.3, [0.0]), axis=-1).reshape(-1, 3)


@pytest.mark.parametrize("line", [(0.0, 0.0), (0.9, -0.4), (-1.3, 0.8), (0.2, 1.9)])
def test_finds_a_shifted_line(line: tuple[float, float]) -> None:
    sites = lattice()
    found = locate_core(sites, screw(sites - [*line, 0.0]), screw, BURGERS)
    assert found == pytest.approx(line, abs=1e-5)


def test_whole_burgers_vectors_do_not_matter() -> None:
    sites = lattice()
    displacement = screw(sites - [0.5, 0.3, 0.0])
    jumps = np.random.default_rng(0).integers(-2, 3, len(sites))
    found = locate_core(sites, displacement + np.outer(jumps, BURGERS), screw, BURGERS)
    assert found == pytest.approx([0.5, 0.3], abs=1e-5)


def test_noise_moves_it_little() -> None:
    sites = lattice()
    noise = 0.01 * np.random.default_rng(1).standard_normal((len(sites), 3))
    found = locate_core(sites, screw(sites - [0.5, 0.3, 0.0]) + noise, screw, BURGERS)
    assert found == pytest.approx([0.5, 0.3], abs=0.1)
