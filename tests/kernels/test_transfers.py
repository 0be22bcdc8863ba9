"""Fits judged on another dislocation: the same numbers as on their own, by the other's response map."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.blocks import estimate_block, transfer_block
from kernels.inputs import load_arrays
from tests.kernels.iron import stored
from tests.kernels.perturbed import BASIS, COMM, OwnReference, Study

LENGTH = 5


def judged(own: OwnReference, iron: Study, fit: str, **others: Any) -> dict[str, Any]:
    """Judge fits where the reference is itself a fit, on the held-out factors that iron's were judged on."""
    held_out = str(Path(iron.fit).with_name("factors-held.npz"))
    known = {"response": own.response, "basis": BASIS, "equilibrium": own.equilibrium}
    return transfer_block(COMM, fit=fit, held_out=held_out, **known, **others)


def test_a_fit_judged_on_its_own_dislocation_is_the_block(own_reference: OwnReference, iron: Study) -> None:
    """The store's own column is that of the block: one kernel gives what the other does."""
    held_out = str(Path(iron.fit).with_name("factors-held.npz"))
    known = {"response": own_reference.response, "basis": BASIS, "equilibrium": own_reference.equilibrium}
    block = estimate_block(COMM, fit=iron.fit, checked=[0], **known)
    found = transfer_block(COMM, fit=iron.fit, held_out=held_out, checked=[0], **known)
    assert (
        {"geometry_estimate", "energy_estimate", "trust_ratio", "rmse_forces"} <= found.keys() <= block.keys()
    )
    for name, values in found.items():
        np.testing.assert_array_equal(values, block[name], err_msg=name)
    assert np.isfinite(found["trust_ratio"]).tolist() == [True, False, False]


def test_a_fit_of_elsewhere_is_judged_by_the_response_here(
    own_reference: OwnReference, iron: Study, tmp_path: Path
) -> None:
    """The reference's own coefficients have no error here, wherever they were fitted; a broken fit has none at all."""
    fitted = iron.coefficients[[0, 0]].copy()
    fitted[1, 0] = np.nan
    fit = stored(tmp_path, "elsewhere", {"coefficients": fitted, "e0": np.zeros(2)})
    found = judged(own_reference, iron, fit)
    assert found["geometry_estimate"][0] < 1e-6
    assert abs(found["energy_estimate"][0]) < 1e-6
    assert np.isnan(
        [found[name][1] for name in ("geometry_estimate", "energy_estimate", "trust_ratio")]
    ).all()
    assert np.isnan(found["rmse_forces"][1]).all()


@settings(max_examples=20)
@given(share=st.floats(-2.0, 2.0), seed=st.integers(0, 2**32 - 1))
def test_transfers_are_linear_in_the_fit(
    tmp_path_factory: pytest.TempPathFactory, share: float, seed: int
) -> None:
    """Strains and the affine energy mix as the coefficients do; the quadratic part is even and of degree two."""
    folder, random = tmp_path_factory.mktemp("linear"), np.random.default_rng(seed)
    half = random.standard_normal((LENGTH, LENGTH))
    response = {
        "geometry_factor": np.triu(random.standard_normal((LENGTH, LENGTH))),
        "profile_factors": np.zeros((1, LENGTH, LENGTH)),
        "energy_linear": random.standard_normal(LENGTH),
        "energy_quadratic": half @ half.T,
        "reference_energy": np.float64(random.standard_normal()),
        "force_rows": np.zeros((3, LENGTH)),
    }
    first, second = random.standard_normal((2, LENGTH))
    fits = np.stack([first, second, share * first + (1 - share) * second, share * first])
    found = transfer_block(
        COMM,
        fit=stored(folder, "fit", {"coefficients": fits, "e0": np.zeros(4)}),
        response=stored(folder, "response", response),
        held_out=stored(folder, "held", {}),
        basis=BASIS,
        equilibrium=stored(folder, "equilibrium", {}),
        checked=[],
    )
    affine, strain = found["energy_estimate_affine"], found["geometry_estimate"]
    quadratic = affine - found["energy_estimate"]
    assert affine[2] == pytest.approx(share * affine[0] + (1 - share) * affine[1], abs=1e-9)
    assert strain[3] == pytest.approx(abs(share) * strain[0], abs=1e-9)
    assert strain[2] <= abs(share) * strain[0] + abs(1 - share) * strain[1] + 1e-9
    assert quadratic[3] == pytest.approx(share**2 * quadratic[0], abs=1e-9)


def test_the_order_of_the_fits_is_theirs(own_reference: OwnReference, iron: Study, tmp_path: Path) -> None:
    fits = load_arrays(iron.fit)
    turned = {name: np.asarray(fits[name])[[1, 0]] for name in ("coefficients", "e0")}
    there, back = (
        judged(own_reference, iron, fit, checked=[]) for fit in (iron.fit, stored(tmp_path, "turned", turned))
    )
    for name, values in there.items():
        np.testing.assert_allclose(back[name], values[[1, 0]], rtol=1e-10, err_msg=name)
