"""What the user's own measures are given, and what is refused of what they say and return."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kernels.ace import AcePotential, basis_of
from kernels.declarations import MeasureError, declarations
from kernels.environments import cylinder_environments
from kernels.inputs import load_arrays
from kernels.measured import measure
from kernels.points import relax_point
from tests.kernels.perturbed import BASIS, COMM, EDGES, OwnReference, Study

HERE = "tests.kernels.test_measured"
NUMBER = {"number": {"units": "1", "long_name": "a number"}}
seen: dict[str, Any] = {}


def look(comm: Any, configuration: Any, potential: Any, **options: Any) -> dict[str, float]:
    seen.update(configuration=configuration, potential=potential, options=options)
    return {"number": np.float32(2.0)}


def others(comm: Any, configuration: Any, potential: Any) -> dict[str, float]:
    return {"another": 1.0}


def word(comm: Any, configuration: Any, potential: Any) -> dict[str, Any]:
    return {"number": "two"}


def without_units(comm: Any, configuration: Any, potential: Any) -> dict[str, float]:
    return {}


def misnamed(comm: Any, configuration: Any, potential: Any) -> dict[str, float]:
    return {}


look.measures = others.measures = word.measures = NUMBER  # type: ignore[attr-defined]
without_units.measures = {"number": {"long_name": "a number"}}  # type: ignore[attr-defined]
misnamed.measures = {"a number": NUMBER["number"]}  # type: ignore[attr-defined]


def measured(reference: OwnReference, function: str, corrector: Any, **options: Any) -> dict[str, float]:
    return measure(
        COMM,
        basis=BASIS,
        dislocation="screw",
        equilibrium=reference.equilibrium,
        fit=reference.fit,
        weighting=0,
        corrector=corrector,
        function=f"{HERE}:{function}",
        options=options,
    )


def test_a_measure_is_given_both_cores_and_the_fit(iron: Study, own_reference: OwnReference) -> None:
    point = relax_point(
        COMM,
        basis=BASIS,
        material=iron.material,
        dislocation="screw",
        equilibrium=own_reference.equilibrium,
        fit=own_reference.fit,
        weighting=0,
        tolerance=1e-8,
        most_evaluations=60,
        radial_edges=EDGES,
        keep_corrector=True,
    )
    assert measured(own_reference, "look", point["corrector"], depth=3) == {"number": 2.0}
    assert seen["options"] == {"depth": 3}
    core, potential, state = seen["configuration"], seen["potential"], load_arrays(own_reference.equilibrium)
    np.testing.assert_array_equal(core.reference, state["sites"] + state["predictor"] + state["corrector"])
    np.testing.assert_array_equal(core.relaxed[~core.free], core.reference[~core.free])
    error = np.linalg.norm(np.diff((core.relaxed - core.reference)[core.bonds], axis=1))
    assert error == pytest.approx(point["geometry_error"], rel=1e-9)
    assert np.abs(potential.forces(core.relaxed)).max() <= 2e-8
    assert potential.energy(core.relaxed) < potential.energy(core.reference)
    assert core.atoms().get_pbc().tolist() == [False, False, True]
    # the calculator's forces in the same cylinder, by ace-jax's own neighbour search
    exact = AcePotential(basis_of(BASIS), potential.coefficients)
    environments = cylinder_environments(core.reference, core.period, potential.cutoff)
    forces = exact.forces(environments, core.reference)[core.free]
    atoms = core.atoms(core.reference)
    atoms.cell[0, 0] = atoms.cell[1, 1] = 200.0
    atoms.calc = potential.calculator()
    np.testing.assert_allclose(atoms.get_forces()[core.free], forces, atol=1e-8)


@pytest.mark.parametrize(
    ("function", "said"),
    [("others", "returned another; it declares number"), ("word", "returned something that is no number")],
)
def test_what_was_not_declared_is_refused(own_reference: OwnReference, function: str, said: str) -> None:
    free = load_arrays(own_reference.equilibrium)["free"]
    with pytest.raises(MeasureError, match=said):
        measured(own_reference, function, np.zeros((int(free.sum()), 3)))


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (f"{HERE}:without_units", "measures number without units"),
        (f"{HERE}:misnamed", "measures 'a number', which is no name"),
        (f"{HERE}:measured", "does not say what it measures"),
        (f"{HERE}:nothing", "has no nothing"),
        (f"{HERE}:HERE", "is a str, which cannot be called"),
        ("nowhere_at_all:core", "cannot be imported"),
    ],
)
def test_a_function_says_what_it_measures(function: str, said: str) -> None:
    assert declarations(COMM, functions=[f"{HERE}:look"]) == {f"{HERE}:look": [["number", "1", "a number"]]}
    with pytest.raises(MeasureError, match=said):
        declarations(COMM, functions=[function])
