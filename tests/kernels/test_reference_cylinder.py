"""Energies of a reference's cylinder by its sites, and by the work of its forces."""

import math

import numpy as np
import pytest
from mpi4py import MPI

from kernels.cylinders import clamped_cylinder
from kernels.equilibrium import shell_width
from kernels.materials import bulk_properties
from kernels.reference_cylinder import EquilibriumError, ReferenceCylinder
from kernels.references import open_reference
from tests.kernels.test_reference_contract import TUNGSTEN_FS

RADIUS = 8.0


@pytest.fixture(scope="module")
def material() -> dict[str, object]:
    return bulk_properties(MPI.COMM_SELF, TUNGSTEN_FS, "bcc")


def test_the_work_of_forces_with_kinks_is_the_energy(material: dict[str, object]) -> None:
    """Finnis and Sinclair's forces have a kink wherever a bond passes 3.25 Å: here many do."""
    shell = shell_width(material, RADIUS, float(material["cutoff"]))
    cylinder = clamped_cylinder("screw", material, RADIUS, shell).arrays()
    corrector = np.zeros_like(cylinder["sites"])
    corrector[cylinder["free"]] = np.random.default_rng(0).normal(0.0, 0.06, (cylinder["free"].sum(), 3))
    with open_reference(MPI.COMM_SELF, TUNGSTEN_FS) as reference:
        atoms = ReferenceCylinder(reference, cylinder, material)
        by_sites = math.fsum(atoms.site_energy_difference(corrector))
        by_work = math.fsum(atoms._minus_work(corrector))
    assert abs(by_sites) > 0.05
    assert by_work == pytest.approx(by_sites, abs=1e-6)


def test_a_core_that_reaches_what_was_left_out_is_refused(material: dict[str, object]) -> None:
    shell = shell_width(material, RADIUS, float(material["cutoff"])) + 2.0
    cylinder = clamped_cylinder("screw", material, RADIUS, shell).arrays()
    free = cylinder["free"]
    outermost = int(np.argmax(np.where(free, np.hypot(*cylinder["sites"][:, :2].T), 0.0)))
    unknowns = np.zeros((int(free.sum()), 3))
    outward = cylinder["sites"][outermost] * [1.0, 1.0, 0.0]
    unknowns[np.flatnonzero(free).tolist().index(outermost)] = 3.5 * outward / np.linalg.norm(outward)
    with open_reference(MPI.COMM_SELF, TUNGSTEN_FS) as reference:
        atoms = ReferenceCylinder(reference, cylinder, material)
        with pytest.raises(EquilibriumError, match="left out"):
            atoms._ended(unknowns, 0.0, 1)
