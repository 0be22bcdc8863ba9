"""References that go wrong, in a gang: each call ends with what happened, and the gang answers the next."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from sweep.gang import Gang, GangOptions
from sweep.gang.errors import KernelError
from tests.kernels.iron import IRON, iron_material, lammps_potential

RADIUS = 8.0


@pytest.fixture(scope="module")
def gang() -> Iterator[Gang]:
    with Gang(GangOptions(ranks=2)) as gang:
        yield gang


def rough(gang: Gang, potential: dict[str, Any], cutoff: float = 5.0) -> dict[str, Any]:
    return dict(
        gang.call(
            "kernels.equilibrium:rough_equilibrium",
            timeout_s=100.0,
            potential=potential,
            material=iron_material() | {"cutoff": cutoff},
            dislocation="screw",
            simulation_radius=RADIUS,
            cutoff=cutoff,
        )
    )


BROKEN = {
    "kind": "ase",
    "element": "Fe",
    "calculator": "tests.kernels.calculators:broken",
    "options": {"failure": "not a number"},
    "cutoff": 5.0,
}


@pytest.mark.parametrize(
    ("potential", "kind", "said"),
    [
        # LAMMPS rejects it
        (
            lammps_potential("Fe", "eam/fs", "* * /nowhere.eam.fs Fe"),
            "PotentialError",
            r"LAMMPS said: .*/nowhere",
        ),
        (lammps_potential("Fe", "eam/unheard-of", "* *"), "PotentialError", r"LAMMPS said: .*eam/unheard-of"),
        # atoms that attract one another without end, and ones that fly apart
        (
            lammps_potential("Fe", "soft 5.0", "* * -10.0"),
            "EquilibriumError",
            r"'soft 5\.0' for Fe\) blew up",
        ),
        (
            lammps_potential("Fe", "lj/cut 5.0", "* * -1.0 2.2"),
            "EquilibriumError",
            r"'lj/cut 5\.0' for Fe\) stagn",
        ),
        # forces that are not numbers
        (BROKEN, "PotentialError", r"broken' for Fe: .*a non-finite force at atom 3"),
    ],
)
def test_a_reference_that_fails_says_why_and_costs_its_own_call_only(
    gang: Gang, potential: dict[str, Any], kind: str, said: str
) -> None:
    with pytest.raises(KernelError) as caught:
        rough(gang, potential)
    assert caught.value.kind == kind
    assert re.search(said, caught.value.reason), caught.value.reason
    assert "rough_equilibrium" in str(caught.value)
    assert rough(gang, IRON, 5.3)["residual_force"] <= 1e-6


def test_atoms_that_leave_lammps_box_are_quoted(gang: Gang) -> None:
    with pytest.raises(KernelError, match=r"LAMMPS said: .*Lost atoms"):
        gang.call("tests.kernels.ranks:lost_atom", timeout_s=100.0, potential=IRON)
    assert rough(gang, IRON, 5.3)["residual_force"] <= 1e-6


def test_a_crystal_that_its_potential_does_not_hold_is_refused(gang: Gang) -> None:
    # bcc is unstable for pairs that count nearest neighbours only
    with pytest.raises(KernelError, match=r"bcc Fe is not stable under 'lj/cut 2\.7'"):
        gang.call(
            "kernels.materials:bulk_properties",
            timeout_s=100.0,
            potential=lammps_potential("Fe", "lj/cut 2.7", "* * 0.4 2.2"),
            structure="bcc",
        )
