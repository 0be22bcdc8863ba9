"""Bayesian evidence: what the data themselves say of the noise levels and of the regularisation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.optimize import minimize

from kernels.fitting import CONFIGURATIONS, OBSERVATIONS

Floats = NDArray[np.float64]

# Noise levels and prior are sought within this many e-foldings of where the search starts: beyond, a kind of
# observation says nothing, or is fitted exactly.
FARTHEST = 25.0
# The search ends at this change of the evidence by an e-folding.
GRADIENT_TOLERANCE = 1e-4


class EvidenceError(ValueError):
    """Observations that say nothing of their noise."""


@dataclass(frozen=True)
class Evidence:
    """Noise levels and regularisation that explain the labels best.

    Attributes
    ----------
    noise : dict of float
        Standard deviation of each kind of observation: eV per atom, eV/Å, eV per atom, eV/Å².
    prior : float
        Standard deviation σ_c of the coefficients before any data, times Γ, eV.
    log_evidence : float
        Logarithm of the labels' probability density.
    weighting : tuple of float
        Weights of energy, forces, virial and force constants for `kernels.fitting.solve_grid`: √rows over the
        noise, scaled so that the largest is 1. The fit they give is the posterior's mean.
    regularisation : float
        λ that belongs to them.
    converged : bool
        Whether the search ended at a maximum. Where it did not, a noise level ran to the end of what is sought.
    """

    noise: dict[str, float]
    prior: float
    log_evidence: float
    weighting: tuple[float, ...]
    regularisation: float
    converged: bool


def maximum_evidence(factors: Mapping[str, Any], gamma: Floats) -> Evidence:
    """Find the noise levels and the regularisation at which the labels are most probable.

    Parameters
    ----------
    factors : mapping
        Triangular factors of `kernels.assembly.factors`.
    gamma : (L,)
        Diagonal of Γ, positive.

    Returns
    -------
    Evidence

    Raises
    ------
    EvidenceError
        If Γ has a zero (an improper prior has no evidence), or there are fewer than two observations of a kind.

    Notes
    -----
    Labels of kind k are Φ_k c + E0 + noise of standard deviation σ_k; c is normal with mean 0 and standard deviation
    σ_c/γ; E0 has a flat prior and is integrated out. D. J. C. MacKay, *Neural Computation* 4:415 (1992). The gradient
    is exact; a quasi-Newton search finds a local maximum, from noise at a tenth of the labels' spread.
    """
    problem = _Problem.of(factors, np.asarray(gamma, dtype=float))
    start = problem.start()
    found = minimize(
        problem.value_and_gradient,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=[(each - FARTHEST, each + FARTHEST) for each in start],
        options={"gtol": GRADIENT_TOLERANCE, "ftol": 0.0, "maxiter": 500},
    )
    *noise, prior = np.exp(found.x).tolist()
    weights = {
        kind: float(np.sqrt(count)) / level
        for kind, count, level in zip(problem.kinds, problem.means, noise, strict=True)
    }
    largest = max(weights.values())
    gradient = problem.value_and_gradient(found.x)[1]
    return Evidence(
        dict(zip(problem.kinds, noise, strict=True)),
        prior,
        -float(found.fun),
        tuple(weights.get(kind, 0.0) / largest for kind in OBSERVATIONS),
        1.0 / (prior * largest),
        bool(np.abs(gradient).max() < 1e-2),
    )


def log_evidence(
    factors: Mapping[str, Any], gamma: Floats, noise: Mapping[str, float], prior: float
) -> float:
    """Evaluate the logarithm of the labels' probability density at given noise levels and prior.

    Parameters
    ----------
    factors, gamma
        As in `maximum_evidence`.
    noise : mapping
        Standard deviation of each kind of observation that the factors hold.
    prior : float
        σ_c, eV.

    Returns
    -------
    float

    Raises
    ------
    EvidenceError
        As `maximum_evidence`.
    """
    problem = _Problem.of(factors, np.asarray(gamma, dtype=float))
    levels = [*(noise[kind] for kind in problem.kinds), prior]
    return -problem.value_and_gradient(np.log(levels))[0]


@dataclass(frozen=True)
class _Problem:
    """[Φ | y] of each kind as a triangle with E0 eliminated; how many rows have noise, and are a mean's."""

    kinds: list[str]
    triangles: list[Floats]
    counts: list[int]
    means: list[int]
    gamma: Floats

    @classmethod
    def of(cls, factors: Mapping[str, Any], gamma: Floats) -> _Problem:
        if not (gamma > 0.0).all():
            raise EvidenceError("Γ has a zero: coefficients without a prior leave no evidence")
        kinds, triangles, counts, means = [], [], [], []
        for kind in OBSERVATIONS:
            names = [f"{kind}_{each}" for each in CONFIGURATIONS if f"{kind}_{each}" in factors]
            if not names:
                continue
            uppers = [np.asarray(factors[name]) for name in names]
            constants = [int(upper[0, 0] != 0.0) for upper in uppers]
            rows = sum(int(factors[f"{name}_rows"]) for name in names)
            if rows - sum(constants) < 2:
                raise EvidenceError(
                    f"{rows} observations of {kind} say nothing of their noise: add configurations"
                )
            parts = [upper[one:, 1:] for upper, one in zip(uppers, constants, strict=True)]
            kinds.append(kind)
            triangles.append(np.asarray(np.linalg.qr(np.vstack(parts), mode="r")))
            # the direction of E0 is integrated out: it has no residual
            counts.append(rows - sum(constants))
            means.append(rows)
        return cls(kinds, triangles, counts, means, gamma)

    def start(self) -> Floats:
        spread = [
            float(np.linalg.norm(upper[:, -1]) / np.sqrt(count))
            for upper, count in zip(self.triangles, self.counts, strict=True)
        ]
        sizes = [
            float(np.linalg.norm(upper[:, :-1] / self.gamma) / np.sqrt(count))
            for upper, count in zip(self.triangles, self.counts, strict=True)
        ]
        # coefficients that make labels of about the size they have
        prior = max(a / b for a, b in zip(spread, sizes, strict=True) if b > 0.0)
        return np.log([*(0.1 * each for each in spread), prior])

    def value_and_gradient(self, logarithms: Floats) -> tuple[float, Floats]:
        """Minus the log evidence, and its derivatives by the logarithms of noise levels and prior."""
        functions = len(self.gamma)
        *noise, prior = np.exp(logarithms)
        scaled = [upper / level for upper, level in zip(self.triangles, noise, strict=True)]
        roots = np.column_stack([np.diag(self.gamma / prior), np.zeros(functions)])
        # larger rows first, as in kernels.weight_grid
        ordered = sorted([*scaled, roots], key=lambda rows: -float(np.linalg.norm(rows)))
        upper = np.asarray(np.linalg.qr(np.vstack(ordered), mode="r"))
        triangle, right = upper[:functions, :-1], upper[:functions, -1]
        mean = solve_triangular(triangle, right)
        # residuals and effective numbers of parameters; those of the kinds and of the prior add up to L
        squares = [float(np.sum((rows[:, :-1] @ mean - rows[:, -1]) ** 2)) for rows in scaled]
        used = [float(np.sum(solve_triangular(triangle, rows[:, :-1].T, trans="T") ** 2)) for rows in scaled]
        held = float(np.sum((self.gamma * mean / prior) ** 2))
        logs = 2.0 * float(np.sum(np.log(np.abs(np.diagonal(triangle))) - np.log(self.gamma / prior)))
        levels = sum(
            count * (np.log(2 * np.pi) + 2 * np.log(s)) for count, s in zip(self.counts, noise, strict=True)
        )
        gradient = [
            count - square - share for count, square, share in zip(self.counts, squares, used, strict=True)
        ]
        gradient.append(sum(used) - held)
        return 0.5 * (levels + logs + sum(squares) + held), np.array(gradient)
