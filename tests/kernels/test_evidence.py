"""Evidence on triangular factors against dense normal densities of the labels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.assembly import triangle
from kernels.evidence import EvidenceError, _Problem, log_evidence, maximum_evidence
from kernels.fitting import OBSERVATIONS, solve_grid

LENGTH = 6
GAMMA = np.linspace(1.0, 9.0, LENGTH)
COUNTS = {"energy_bulk": 12, "energy_core": 5, "forces_bulk": 30, "forces_core": 14, "virial_bulk": 18}
NOISE = {"energy": 0.05, "forces": 0.3, "virial": 0.01}
PRIOR = 2.0


def labelled(seed=0, counts=COUNTS, prior=PRIOR):
    """Rows drawn from the model that the evidence is of."""
    generator = np.random.default_rng(seed)
    coefficients = prior * generator.normal(size=LENGTH) / GAMMA
    rows = {}
    for kind, count in counts.items():
        functions = generator.normal(size=(count, LENGTH)) * 10.0 ** -np.linspace(0, 2, LENGTH)
        ones = float(kind == "energy_bulk")
        noise = NOISE[kind.partition("_")[0]] * generator.normal(size=count)
        rows[kind] = np.column_stack(
            [np.full(count, ones), functions, functions @ coefficients + 3.0 * ones + noise]
        )
    return rows


def as_factors(rows):
    return {kind: triangle(each) for kind, each in rows.items()} | {
        f"{kind}_rows": len(each) for kind, each in rows.items()
    }


def dense(rows, noise, prior):
    """Density of the labels with E0 projected out, from their whole covariance."""
    parts, variances = [], []
    for kind, each in rows.items():
        kept = each
        if each[0, 0]:
            # an orthonormal basis of everything but the constant
            others = np.linalg.svd(np.eye(len(each)) - 1.0 / len(each))[0][:, :-1]
            kept = others.T @ each
        parts.append(kept)
        variances += [noise[kind.partition("_")[0]] ** 2] * len(kept)
    stacked = np.vstack(parts)
    functions = stacked[:, 1:-1] * (prior / GAMMA)
    covariance = np.diag(variances) + functions @ functions.T
    whitened = np.linalg.solve(np.linalg.cholesky(covariance), stacked[:, -1])
    return -0.5 * (whitened @ whitened + np.linalg.slogdet(2 * np.pi * covariance)[1])


@settings(max_examples=25)
@given(
    seed=st.integers(0, 1000),
    levels=st.tuples(*[st.floats(1e-2, 3.0)] * 3),
    prior=st.floats(1e-2, 10.0),
)
def test_it_is_the_density_of_the_labels(seed, levels, prior):
    rows, noise = labelled(seed), dict(zip(NOISE, levels, strict=True))
    found = log_evidence(as_factors(rows), GAMMA, noise, prior)
    assert found == pytest.approx(dense(rows, noise, prior), rel=1e-8, abs=1e-6)


def test_its_gradient_is_that_of_its_differences():
    problem = _Problem.of(as_factors(labelled()), GAMMA)
    where = np.log([0.1, 0.2, 0.03, 1.5])
    _, gradient = problem.value_and_gradient(where)
    for number in range(4):
        step = 1e-5 * np.eye(4)[number]
        ahead, behind = (problem.value_and_gradient(where + sign * step)[0] for sign in (1, -1))
        assert gradient[number] == pytest.approx((ahead - behind) / 2e-5, rel=1e-6, abs=1e-5)


def test_noise_and_prior_that_made_the_labels_are_found():
    """Within four standard errors of levels estimated from that many labels."""
    many = {kind: 40 * count for kind, count in COUNTS.items()}
    found = maximum_evidence(as_factors(labelled(3, many)), GAMMA)
    assert found.converged
    for kind, level in NOISE.items():
        count = sum(rows for name, rows in many.items() if name.startswith(kind))
        assert abs(np.log(found.noise[kind] / level)) <= 4 / np.sqrt(2 * count)
    assert abs(np.log(found.prior / PRIOR)) <= 4 / np.sqrt(2 * LENGTH)


def test_nowhere_near_is_more_probable():
    made = as_factors(labelled(1))
    found = maximum_evidence(made, GAMMA)
    best = log_evidence(made, GAMMA, found.noise, found.prior)
    assert best == pytest.approx(found.log_evidence)
    generator = np.random.default_rng(0)
    for _ in range(30):
        *factors, last = np.exp(0.3 * generator.normal(size=4))
        noise = {kind: level * f for (kind, level), f in zip(found.noise.items(), factors, strict=True)}
        assert log_evidence(made, GAMMA, noise, found.prior * last) < best


def test_its_weighting_gives_the_posteriors_mean():
    rows = labelled(2)
    found = maximum_evidence(as_factors(rows), GAMMA)
    [fit] = solve_grid(as_factors(rows), GAMMA, [found.weighting], found.regularisation).coefficients
    centred = {
        kind: each - each.mean(axis=0) if kind == "energy_bulk" else each for kind, each in rows.items()
    }
    stack = [each[:, 1:] / found.noise[kind.partition("_")[0]] for kind, each in centred.items()]
    matrix = np.vstack([*stack, np.column_stack([np.diag(GAMMA / found.prior), np.zeros(LENGTH)])])
    assert np.allclose(fit, np.linalg.lstsq(matrix[:, :-1], matrix[:, -1], rcond=None)[0], rtol=1e-8)
    assert max(found.weighting) == 1.0
    assert found.weighting[OBSERVATIONS.index("force_constants")] == 0.0


def test_too_few_observations_are_named():
    with pytest.raises(EvidenceError, match="2 observations of energy say nothing"):
        maximum_evidence(as_factors(labelled(counts={"energy_bulk": 2, "forces_bulk": 9})), GAMMA)


def test_an_improper_prior_is_refused():
    with pytest.raises(EvidenceError, match="Γ has a zero"):
        maximum_evidence(as_factors(labelled()), np.append(GAMMA[:-1], 0.0))
