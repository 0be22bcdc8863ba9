"""The functions of a linear ACE by ace-jax: design rows, site energies and their derivatives."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ace_jax.basis.model import BasisSpec, build_basis
from ace_jax.eval.model import block_dense, prune_columns
from numpy.typing import NDArray

from kernels.compilation_cache import use_compilation_cache
from kernels.shared_programs import OWN_VARIABLE

Floats = NDArray[np.float64]

# Every evaluation has this many sites, the last padded: one compilation serves clusters, cells and cylinders.
SITES_PER_CHUNK = 128
# Slots per site come in multiples of this: few shapes are compiled, and what is summed with what depends on the
# configuration alone, not on what this process met before.
SLOTS_STEP = 16


# float32 rows would lose the digits that rate fits need
jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]


class BasisError(ValueError):
    """An ACE basis that cannot be built, or coefficients that do not belong to it."""


if _folder := os.environ.get(OWN_VARIABLE):
    use_compilation_cache(_folder)


def _species(mask: Any) -> Any:
    return jnp.zeros(mask.shape, dtype=jnp.int32)


def _within(model: Any, vectors: Any, mask: Any) -> tuple[Any, Any]:
    """Leave out slots beyond the cutoff, and park what is left out at it, where radial functions have no pole."""
    cutoff = model.pad_cutoff()
    # by distance: rounding in ace-jax's radial transform leaves 1e-16 at the cutoff itself
    near = mask & (jnp.sum(vectors**2, axis=-1) < cutoff**2)
    return jnp.where(near[..., None], vectors, jnp.array([1.0, 0.0, 0.0]) * cutoff), near


@jax.jit
def _edge_rows(model: Any, vectors: Any, mask: Any) -> tuple[Any, Any]:
    species = _species(mask)
    parked, near = _within(model, vectors, mask)
    rows, jacobian = model.edge_jacobian_dense(parked, species, species, near)
    return rows, jacobian.reshape(*mask.shape, -1, 3)


def _energies(model: Any, coefficients: Any, vectors: Any, mask: Any) -> Any:
    """Site energies with both readouts folded under the trace, so that coefficients stay arguments."""
    functions = model.WB.shape[0]
    many_body, pair = coefficients[:functions, None], coefficients[functions:, None]
    products = jnp.zeros((model.a2b_shape[1], 1), dtype=coefficients.dtype)
    products = products.at[model.a2b_cols].add(model.a2b_vals[:, None] * many_body[model.a2b_rows])
    # one pair column an edge instead of one for each pair function
    pair_radial = jnp.einsum("ijpq,pi->ijq", model.pair_Wnlq, pair)[:, :, None, :]
    fitted = dataclasses.replace(
        model,
        WB=many_body,
        ctilde=products,
        pair_Wnlq=pair_radial,
        Wpair=jnp.ones((1, 1), dtype=coefficients.dtype),
        folded=True,
        energy_only=True,
    )
    species = _species(mask)
    parked, near = _within(model, vectors, mask)
    return fitted.site_energies_dense(parked, species, species, near, species[:, 0])


def _gradients(model: Any, coefficients: Any, vectors: Any, mask: Any) -> tuple[Any, Any]:
    energies, pullback = jax.vjp(lambda v: _energies(model, coefficients, v, mask), vectors)
    return energies, pullback(jnp.ones_like(energies))[0]


_energies_and_gradients = jax.jit(_gradients)


@jax.jit
def _gradient_changes(model: Any, coefficients: Any, vectors: Any, mask: Any, direction: Any) -> Any:
    return jax.jvp(lambda v: _gradients(model, coefficients, v, mask)[1], (vectors,), (direction,))[1]


def _bent_functions(model: Any, vectors: Any, mask: Any, one: Any, other: Any) -> tuple[Any, Any, Any]:
    species = _species(mask)

    def functions(moved: Any) -> Any:
        parked, near = _within(model, moved, mask)
        return jnp.concatenate(model.site_basis_dense(parked, species, species, near), axis=1)

    def with_first(moved: Any) -> tuple[Any, Any]:
        value, first = jax.jvp(functions, (moved,), (one,))
        return value, first

    (value, first), (_, second) = jax.jvp(with_first, (vectors,), (other,))
    return value, first, second


# run a few times in the life of a basis: compiled fast rather than fast once compiled
_second_derivatives = jax.jit(_bent_functions, compiler_options={"xla_backend_optimization_level": 0})


class LinearBasis:
    """The functions of a linear ACE for one element, by ace-jax.

    Functions stand in ace-jax's design layout, many-body then pair. The constant E0 is not among them.

    Parameters
    ----------
    element : str
        Chemical symbol.
    order : int
        Correlation order (body order less one), at least 1.
    degree : int
        Largest total degree, at least 1.
    cutoff : float
        Å.

    Attributes
    ----------
    length : int
        Number of functions, L.
    gamma : (L,) ndarray
        Diagonal of the algebraic smoothness prior Γ.
    cutoff : float
        Å. Functions and their first derivatives are exactly zero from here on.

    Raises
    ------
    BasisError
        If ace-jax cannot build it.

    Examples
    --------
    >>> LinearBasis("W", order=2, degree=4, cutoff=5.0).length
    12
    """

    def __init__(self, element: str, order: int, degree: int, cutoff: float) -> None:
        try:
            built = build_basis(
                BasisSpec(order=order, max_degree=degree, elements=(element,), rcut=float(cutoff))
            )
        except (ValueError, KeyError, TypeError) as error:
            raise BasisError(
                f"no ACE basis of order {order}, degree {degree}, cutoff {cutoff} Å for {element}: {error}"
            ) from error
        # exactly the same functions, without columns that none of them reads; blocked by l energies cost 1/6
        self.model: Any = prune_columns(built.model)
        self._blocked: Any = block_dense(self.model)
        self.gamma: Floats = np.asarray(built.gamma, dtype=float)
        self.length = len(self.gamma)
        self.cutoff = float(cutoff)

    def _shaped(self, vectors: Floats, mask: NDArray[np.bool_]) -> Iterator[tuple[slice, Floats, Any]]:
        """Cut sites into chunks of one shape."""
        sites, slots = mask.shape
        width = -(-slots // SLOTS_STEP) * SLOTS_STEP
        for start in range(0, sites, SITES_PER_CHUNK):
            rows = slice(start, min(start + SITES_PER_CHUNK, sites))
            count = rows.stop - rows.start
            shaped = np.zeros((SITES_PER_CHUNK, width, 3))
            filled = np.zeros((SITES_PER_CHUNK, width), dtype=bool)
            shaped[:count, :slots], filled[:count, :slots] = vectors[rows], mask[rows]
            yield rows, shaped, filled

    def edge_rows(self, vectors: Floats, mask: NDArray[np.bool_]) -> Iterator[tuple[slice, Floats, Floats]]:
        """Site functions and their derivatives, chunk by chunk: the whole Jacobian is never held.

        Parameters
        ----------
        vectors : (S, K, 3)
            Vectors from each site to its neighbours, Å.
        mask : (S, K) bool
            Filled slots.

        Yields
        ------
        slice
            The sites of the chunk, s of them.
        (s, L) ndarray
            Functions X.
        (s, K, L, 3) ndarray
            dX/d(vector), 1/Å.
        """
        slots = mask.shape[1]
        for rows, shaped, filled in self._shaped(vectors, mask):
            count = rows.stop - rows.start
            functions, jacobian = _edge_rows(self.model, shaped, filled)
            yield rows, np.asarray(functions)[:count], np.asarray(jacobian)[:count, :slots]

    def energies_and_gradients(
        self, coefficients: Floats, vectors: Floats, mask: NDArray[np.bool_]
    ) -> tuple[Floats, Floats]:
        """Site energies without E0, and their derivatives with respect to the neighbour vectors.

        Parameters
        ----------
        coefficients : (L,)
            eV.
        vectors, mask
            As in `edge_rows`.

        Returns
        -------
        (S,) ndarray
            eV.
        (S, K, 3) ndarray
            eV/Å; zero in empty slots.
        """
        fitted = self.checked(coefficients)
        energies, gradients = np.zeros(len(mask)), np.zeros(vectors.shape)
        for rows, shaped, filled in self._shaped(vectors, mask):
            count = rows.stop - rows.start
            energy, gradient = _energies_and_gradients(self._blocked, fitted, shaped, filled)
            energies[rows] = np.asarray(energy)[:count]
            gradients[rows] = np.asarray(gradient)[:count, : mask.shape[1]]
        return energies, gradients

    def gradient_changes(
        self, coefficients: Floats, vectors: Floats, mask: NDArray[np.bool_], direction: Floats
    ) -> Floats:
        """Second derivatives of the site energies times a direction of the neighbour vectors.

        Parameters
        ----------
        coefficients, vectors, mask
            As in `energies_and_gradients`.
        direction : (S, K, 3)
            Change of the vectors, Å.

        Returns
        -------
        (S, K, 3) ndarray
            Change of the gradients to first order, eV/Å.
        """
        fitted = self.checked(coefficients)
        changes = np.zeros(vectors.shape)
        moved = self._shaped(direction, mask)
        for (rows, shaped, filled), (_, change, _) in zip(self._shaped(vectors, mask), moved, strict=True):
            count = rows.stop - rows.start
            bent = _gradient_changes(self._blocked, fitted, shaped, filled, change)
            changes[rows] = np.asarray(bent)[:count, : mask.shape[1]]
        return changes

    def second_derivatives(
        self, vectors: Floats, mask: NDArray[np.bool_], one: Floats, other: Floats
    ) -> tuple[Floats, Floats, Floats]:
        """Site functions, and their derivatives as the neighbour vectors change in two directions.

        Parameters
        ----------
        vectors, mask
            As in `edge_rows`, of any number of sites and slots: each shape compiles.
        one, other : (S, K, 3)
            Changes of the vectors. Under a homogeneous deformation they are linear in the vectors, and so constant.

        Returns
        -------
        (S, L) ndarray
            Functions X.
        (S, L) ndarray
            dX in the direction `one`.
        (S, L) ndarray
            d²X in both directions.
        """
        value, first, second = _second_derivatives(self.model, vectors, mask, one, other)
        return np.asarray(value), np.asarray(first), np.asarray(second)

    def checked(self, coefficients: Floats) -> Floats:
        """Return the coefficients as an array, or raise `BasisError` if they are not L numbers."""
        fitted = np.ascontiguousarray(coefficients, dtype=float)
        if fitted.shape != (self.length,):
            raise BasisError(
                f"coefficients of shape {fitted.shape} for a basis of {self.length} functions; "
                "E0 is not one of them"
            )
        return fitted


@lru_cache(maxsize=16)
def _basis(element: str, order: int, degree: int, cutoff: float) -> LinearBasis:
    return LinearBasis(element, order, degree, cutoff)


def basis_of(spec: Mapping[str, Any]) -> LinearBasis:
    """Build the basis of a specification, once per process.

    Parameters
    ----------
    spec : mapping
        ``element``, ``order``, ``degree`` and ``cutoff`` (Å).

    Returns
    -------
    LinearBasis
        The same object for the same specification.

    Raises
    ------
    BasisError
        If an entry is missing or the basis cannot be built.
    """
    try:
        return _basis(str(spec["element"]), int(spec["order"]), int(spec["degree"]), float(spec["cutoff"]))
    except KeyError as error:
        raise BasisError(f"the basis specification {dict(spec)} lacks {error}") from error
