"""Locating a core whose position is known."""

import numpy as np
import pytest

from kernels.cores import OTHER_MINIMUM, locate_core
from kernels.dislocated import DislocatedCrystal
from kernels.dislocations import NAMES
from tests.kernels.every_dislocation import EVERY_NAME, MATERIALS, PARTIALS

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


@pytest.mark.parametrize("line", [(0.0, 0.0), (1.2, 0.3), (-0.8, -0.9), (0.0, 1.5)])
@pytest.mark.parametrize(("kind", "structure"), [*EVERY_NAME, *PARTIALS])
def test_any_line_is_found_in_the_crystal_that_holds_it(
    kind: str, structure: str, line: tuple[float, float]
) -> None:
    """Displacements belong to the crystal once displaced: where the cut runs through the lattice does not matter."""
    crystal = DislocatedCrystal.of(kind, MATERIALS[structure] | {"internal_shift": 0.0})
    away = np.array([*line, 0.0])
    sites = crystal.sites_within(25.0)
    displacement = crystal.field.self_consistent(sites - away)
    found = locate_core(sites, displacement, crystal.field, crystal.field.burgers)
    # the cut moved along: where it passed a row of atoms, their slip is told apart by the Burgers vector alone
    assert found == pytest.approx(line, abs=0.05)


@pytest.mark.parametrize("kind", NAMES["fcc"])
def test_a_dissociated_core_is_found_to_move(kind: str) -> None:
    crystal = DislocatedCrystal.of(kind, MATERIALS["fcc"])
    sites = crystal.sites_within(40.0)
    above = crystal.above(sites)

    def located(x: float, half: float) -> np.ndarray:
        displacement = np.zeros_like(sites)
        for _ in range(60):
            moved = sites + displacement
            both = [
                field(moved - [x + side * half, 0.0, 0.0], above)
                for field, side in zip(crystal.partials, (-1.0, 1.0), strict=True)
            ]
            displacement = 0.5 * displacement + 0.5 * sum(both)
        return locate_core(sites, displacement, crystal.field, crystal.field.burgers)

    where = located(0.0, 6.0)
    # half a row and more: beyond the mark, if not to the last tenth
    assert located(2.0, 6.0) - where == pytest.approx([2.0, 0.0], abs=1.0)
    # but not where the partials are further apart only
    mark = OTHER_MINIMUM * crystal.burgers_length
    assert np.linalg.norm(located(0.0, 7.0) - where) < 0.5 * mark
