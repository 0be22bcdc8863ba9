"""The sextic problem of a straight dislocation for many cubic crystals at once (Stroh)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kernels.elastic_fields import ISOTROPY_CLEARANCE

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]


def sextic_solutions(rotation: Floats, burgers: Floats, constants: Floats) -> tuple[Complexes, Complexes]:
    """Solve for the displacement gradients of one dislocation in crystals of different elastic constants.

    Parameters
    ----------
    rotation : (3, 3) ndarray
        Rows are the axes of the cylinder in the cube axes, orthonormal: x, the plane's normal y, the line z.
    burgers : (3,) ndarray
        In the cylinder's axes, Å.
    constants : (n, 3) ndarray
        C11, C12, C44 of stable crystals, in one unit.

    Returns
    -------
    roots : (n, 6) ndarray
        p_α, in conjugate pairs.
    amplitudes : (n, 6, 3, 3) ndarray
        G_α, Å: ∇u = Σ_α G_α / (x + p_α y), [component, direction].

    Notes
    -----
    J. P. Hirth, J. Lothe, *Theory of Dislocations*, 2nd ed., p. 467: `kernels.elastic_fields.stroh_field` for each.
    """
    c11, c12, c44 = constants.T
    # at isotropy the problem is defective
    c44 = np.where(
        np.abs(2 * c44 / (c11 - c12) - 1) < ISOTROPY_CLEARANCE, c44 * (1 + ISOTROPY_CLEARANCE), c44
    )
    stiffness = np.tensordot(
        np.stack([c12, c44, c11 - c12 - 2 * c44], axis=1), _invariants(rotation), axes=(1, 0)
    )
    mm, mn, nm, nn = (stiffness[:, i, :, :, j] for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)))
    inverse = np.linalg.inv(nn)
    across = mn @ inverse
    matrix = np.concatenate(
        [
            np.concatenate([-inverse @ nm, -inverse], axis=2),
            np.concatenate([mm - across @ nm, -across], axis=2),
        ],
        axis=1,
    )
    # an eigenvalue problem of real numbers: complex even where rounding finds a real root
    roots, vectors = (np.asarray(each, dtype=complex) for each in np.linalg.eig(matrix))
    displacements, tractions = vectors[:, :3].transpose(0, 2, 1), vectors[:, 3:].transpose(0, 2, 1)
    norms = 2.0 * np.sum(displacements * tractions, axis=2)
    strengths = np.sign(roots.imag) * (tractions @ burgers) / norms / (2j * np.pi)
    directions = np.stack([np.ones_like(roots), roots, np.zeros_like(roots)], axis=2)
    return roots, (strengths[..., None] * displacements)[..., :, None] * directions[..., None, :]


def circular_products(roots: Complexes, amplitudes: Complexes) -> Floats:
    """Average |Σ_α a_α / (cos φ + p_α sin φ)|² over the angle φ, in closed form.

    Parameters
    ----------
    roots : (n, k) ndarray
        p_α, none real.
    amplitudes : (n, k, m) ndarray
        a_α, m components each, so that the sum is real: conjugate pairs have conjugate amplitudes.

    Returns
    -------
    (n,) ndarray
        Summed over the components.

    Notes
    -----
    With t = tan φ the average of 1 / ((cos φ + p sin φ)(cos φ + q sin φ)) is ∫ dt / ((1 + p t)(1 + q t)) / π: by
    residues 2i / (p - q) where Im p > 0 > Im q, and zero where both lie on one side.

    Examples
    --------
    >>> circular_products(np.array([[1j, -1j]]), np.array([[[0.5], [0.5]]])).round(12)  # cos² φ
    array([0.5])
    """
    upper = roots.imag > 0
    opposite = upper[:, :, None] & ~upper[:, None, :]
    apart = np.where(opposite, roots[:, :, None] - roots[:, None, :], 1.0)
    weights = np.where(opposite, 2j / apart, 0.0)
    # each pair of opposite sides twice, once in either order
    products = np.einsum("nam,nab,nbm->n", amplitudes, weights, amplitudes, optimize=True)
    return np.asarray(2.0 * products.real)


def _invariants(rotation: Floats) -> Floats:
    """δ_ij δ_kl, δ_ik δ_jl + δ_il δ_jk, and Σ_p of four times the cube axis p, in the cylinder's axes."""
    eye = np.eye(3)
    return np.stack(
        [
            np.einsum("ij,kl->ijkl", eye, eye),
            np.einsum("ik,jl->ijkl", eye, eye) + np.einsum("il,jk->ijkl", eye, eye),
            np.einsum("ip,jp,kp,lp->ijkl", rotation, rotation, rotation, rotation),
        ]
    )
