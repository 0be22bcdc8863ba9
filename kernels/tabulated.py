"""A basis with its radial functions tabulated, as ace-jax's C++ kernel evaluates it."""

from __future__ import annotations

import dataclasses
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from ace_jax.eval import ffi
from numpy.typing import NDArray
from scipy.linalg import solve_banded
from scipy.sparse import csr_matrix

from kernels.linear_basis import LinearBasis
from kernels.sectors import Sector

Floats = NDArray[np.float64]

# The table begins here, Å. No two atoms that mean anything are nearer; below it the first cubic goes on.
NEAREST = 0.5


class Readout(NamedTuple):
    """A fit as the kernel reads it.

    Attributes
    ----------
    table : (1, 1, intervals + 3, columns + 1) JAX array
        Radial columns as B-splines; the last is the fit's pair energy, eV.
    products : (1, N) JAX array
        Weight of every product that the kernel forms, eV.
    """

    table: Any
    products: Any


class TabulatedBasis:
    """Site energies and forces of any fit in a basis, by ace-jax's C++ kernel.

    The radial functions are cubic splines on a uniform grid, so that results differ from the exact model's:
    `kernels.table_choice` says by how much for the fit at hand. Another fit in the same basis compiles and tabulates
    nothing.

    Parameters
    ----------
    basis : LinearBasis
        L functions.
    intervals : int
        Of the table, from 0.5 Å to the cutoff. Errors of forces fall with the third power of the spacing
        until, from about 24,000 intervals on, the rounding of the coefficients takes over.

    Notes
    -----
    Only where `kernels.compiled.kernel_on_every_rank` said so can anything be evaluated.
    """

    def __init__(self, basis: LinearBasis, intervals: int) -> None:
        self.basis, self.intervals = basis, intervals
        model = basis.model
        spacing = (basis.cutoff - NEAREST) / intervals
        table = _tabulated(model, np.linspace(NEAREST, basis.cutoff, intervals + 1))
        self._many_body = int(model.WB.shape[0])
        columns = table.shape[1] - (basis.length - self._many_body)
        self._table = np.ascontiguousarray(table[:, : columns + 1])
        self._pairs = np.ascontiguousarray(table[:, columns:])
        # one readout for each function instead of one for each species: what comes out is linear in coefficients
        couplings = np.zeros(model.a2b_shape)
        np.add.at(
            couplings, (np.asarray(model.a2b_rows), np.asarray(model.a2b_cols)), np.asarray(model.a2b_vals)
        )
        attributes, constants = ffi.kernel_inputs(
            dataclasses.replace(
                model,
                rtab_grid=(NEAREST, spacing, intervals + 1),
                rtab_coefs=jnp.asarray(table[None, None]),
                ctilde=jnp.asarray(couplings.T),
                energy_only=True,
            )
        )
        _, cutoffs, runs, groups, factors, products, constant = constants
        self._products = csr_matrix(np.asarray(products).T)
        self._constants = (cutoffs, runs, groups, factors)
        self._no_constant = jnp.zeros_like(constant)
        self._attributes = (*sorted(attributes.items()), ("rc2", np.float64(basis.cutoff**2)))

    def readout(self, coefficients: Floats) -> Readout:
        """Fold (L,) coefficients, eV, into what the kernel reads."""
        fitted = self.basis.checked(coefficients)
        self._table[:, -1] = self._pairs @ fitted[self._many_body :]
        products = self._products @ fitted[: self._many_body]
        # the table is written over by the next readout
        return Readout(jnp.array(self._table[None, None], copy=True), jnp.asarray(products[None]))

    def evaluate(self, readout: Readout, sector: Sector, images: Floats) -> tuple[Floats, Floats]:
        """Evaluate a sector's site energies without E0, and the forces of their sum.

        Parameters
        ----------
        readout : Readout
            Of the fit.
        sector : Sector
            Of S sites and M images.
        images : (M, 3)
            Their positions, Å; where one in reach is not a number, nothing is.

        Returns
        -------
        (S,) ndarray
            eV.
        (M, 3) ndarray
            On every image, eV/Å.
        """
        energies, forces = _evaluate(
            images,
            sector.neighbours,
            sector.counts,
            readout.table,
            *self._constants,
            readout.products,
            self._no_constant,
            attributes=self._attributes,
        )
        return np.asarray(energies)[: len(sector.sites)], np.asarray(forces)


@partial(jax.jit, static_argnames="attributes")
def _evaluate(images: Any, neighbours: Any, counts: Any, *model: Any, attributes: tuple[Any, ...]) -> Any:
    atoms = images.shape[0]
    forces, energies = (
        jax.ShapeDtypeStruct(shape, images.dtype)  # type: ignore[no-untyped-call]
        for shape in (images.shape, (atoms,))
    )
    species, weights = jnp.zeros(atoms, dtype=jnp.int32), jnp.ones(atoms)
    call = jax.ffi.ffi_call(ffi.TARGET, (energies, forces))
    return call(images, species, neighbours, counts, weights, *model, **dict(attributes))


def _tabulated(model: Any, knots: Floats) -> Floats:
    """(knots + 2, columns) B-spline coefficients of every radial function, pair functions last.

    A cubic spline's slope is a quadratic one, and a table's error is that of its slopes: forces are made of them. So
    slopes are interpolated, halfway between knots, and summed. Interpolated values would divide their own rounding by
    the spacing.
    """
    count, spacing = len(knots), (knots[-1] - knots[0]) / (len(knots) - 1)
    places = np.concatenate([knots[:1], 0.5 * (knots[1:] + knots[:-1])])
    slopes = np.asarray(_radial_slopes(model, jnp.asarray(places)))
    # functions end at the cutoff without a slope
    slopes = np.concatenate([slopes, np.zeros((1, slopes.shape[1]))])
    bands = np.empty((3, count + 1))
    bands[0], bands[1], bands[2] = 0.125, 0.75, 0.125
    bands[0, 1] = bands[1, 0] = bands[1, -1] = bands[2, -2] = 0.5
    steps = spacing * solve_banded((1, 1), bands, slopes)
    table = np.zeros((count + 2, slopes.shape[1]))
    # from the cutoff inwards, where the functions are small and so is what rounding adds
    table[:-1] = -np.cumsum(steps[::-1], axis=0)[::-1]
    table -= (table[-3] + 4.0 * table[-2] + table[-1]) / 6.0
    return table


@partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
def _radial_slopes(model: Any, radii: Any) -> Any:
    # run once in the life of a table: compiled fast rather than fast once compiled
    species = jnp.zeros(radii.shape, dtype=jnp.int32)

    def values(at: Any) -> Any:
        return model.radial_table_values("full", at, species, species)

    return jax.jvp(values, (radii,), (jnp.ones_like(radii),))[1]


class TabulatedFit(NamedTuple):
    """A fit with the table that serves it."""

    table: TabulatedBasis
    readout: Readout

    @staticmethod
    def of(basis: LinearBasis, intervals: int, coefficients: Floats) -> TabulatedFit:
        """Make it from the table that this process has already, where it has."""
        table = tabulated(basis, intervals)
        return TabulatedFit(table, table.readout(coefficients))

    def evaluate(self, sector: Sector, images: Floats) -> tuple[Floats, Floats]:
        """Evaluate as `TabulatedBasis.evaluate` does."""
        return self.table.evaluate(self.readout, sector, images)


@lru_cache(maxsize=8)
def tabulated(basis: LinearBasis, intervals: int) -> TabulatedBasis:
    """Tabulate a basis, once per process."""
    return TabulatedBasis(basis, intervals)
