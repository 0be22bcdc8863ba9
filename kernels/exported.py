"""A fitted potential as a file that other programs read: ace-jax's ``.npz`` and PACE's ``.yace``."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from ace_jax.basis.export import save_npz
from ace_jax.basis.model import Basis, BasisSpec, build_basis
from ace_jax.eval.pace_io import write_yace
from numpy.typing import NDArray

from kernels.inputs import load_arrays
from kernels.linear_basis import basis_of

Floats = NDArray[np.float64]

# PACE's tables have a node each this many Å, or a little less where the cutoff is not a multiple of it.
TABLE_STEP = 1e-3


class ExportError(ValueError):
    """A fit that cannot be written in the format asked for."""


def potential_file(
    comm: Any,
    *,
    basis: Mapping[str, Any],
    material: Mapping[str, Any],
    fit: str,
    weighting: int,
    suffix: str,
) -> dict[str, Any]:
    """Write one fit as a potential file.

    Its energies are absolute, those of the reference: E0 is the fit's plus the reference's energy per atom of the
    perfect crystal. Where no bulk energies were observed it is the latter alone.

    Parameters
    ----------
    comm : mpi4py communicator
        Rank 0 writes.
    basis, material : mapping
        ACE basis and reference material as plain data.
    fit : str
        Path of the fits of `kernels.fitting.fit_block`.
    weighting : int
        Which of them.
    suffix : str
        ``.npz``: ace-jax's own file, read by `ace_jax.load` and `ACECalculator`. ``.yace``: PACE's, its radial
        functions tabulated, for ML-PACE with tabulated radials, and read by ace-jax too.

    Returns
    -------
    dict
        ``contents``, the bytes of the file as uint8. Empty on ranks other than 0.

    Raises
    ------
    ExportError
        If the suffix is another, the fit is not finite, or the format cannot hold the basis (``.yace`` needs terms
        of order 2 at least).
    """
    if comm.rank != 0:
        return {}
    write = WRITERS.get(suffix)
    if write is None:
        raise ExportError(f"potentials are not written as {suffix!r}; choose from {', '.join(WRITERS)}")
    fits = load_arrays(fit)
    coefficients, e0 = fits["coefficients"][weighting], float(fits["e0"][weighting])
    if not np.isfinite(coefficients).all():
        raise ExportError(f"fit {weighting} is not finite: its weighting is excluded, or it failed")
    shift = e0 if np.isfinite(e0) else 0.0
    model = fitted_basis(basis, coefficients, shift + float(material["energy_per_atom"]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"potential{suffix}"
        write(path, model)
        return {"contents": np.frombuffer(path.read_bytes(), dtype=np.uint8)}


def fitted_basis(basis: Mapping[str, Any], coefficients: Floats, e0: float) -> Basis:
    """Give ace-jax's model of a fit.

    Parameters
    ----------
    basis : mapping
        ACE basis as plain data, of one element.
    coefficients : (L,)
        eV, many-body functions first, then pair functions.
    e0 : float
        Energy of every atom besides, eV.

    Returns
    -------
    ace_jax.basis.model.Basis
        Its ``eval_pair()`` is the pair that `ace_jax.ACECalculator` takes.

    Raises
    ------
    BasisError
        If the coefficients do not belong to the basis.
    """
    checked = basis_of(basis).checked(coefficients)
    spec = BasisSpec(
        order=int(basis["order"]),
        max_degree=int(basis["degree"]),
        elements=(str(basis["element"]),),
        rcut=float(basis["cutoff"]),
    )
    built = build_basis(spec)
    many_body = int(built.model.WB.shape[0])
    # not folded: what ace-jax folded is of the readout it was built with
    model = dataclasses.replace(
        built.model,
        WB=jnp.asarray(checked[:many_body, None]),
        Wpair=jnp.asarray(checked[many_body:, None]),
        E0=jnp.asarray([e0]),
        folded=False,
    )
    return built._replace(model=model)


def _write_npz(path: Path, model: Basis) -> None:
    save_npz(path, model)


def _write_yace(path: Path, model: Basis) -> None:
    cutoff = float(model.meta["rcut"])
    try:
        write_yace(model.model, path, delta=_table_step(cutoff))
    except ValueError as error:
        raise ExportError(f"this basis cannot be written as .yace: {error}") from error


def _table_step(cutoff: float) -> float:
    """Largest step up to `TABLE_STEP` of which the cutoff is a whole number, also after ML-PACE's truncation."""
    count = int(np.ceil(cutoff / TABLE_STEP - 1e-9))
    step = cutoff / count
    return step if int(cutoff / step) == count else float(np.nextafter(step, 0.0))


# Formats by the file's suffix.
WRITERS: dict[str, Callable[[Path, Basis], None]] = {".npz": _write_npz, ".yace": _write_yace}
