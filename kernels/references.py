"""The reference potential: what a study's truth is computed with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ase.data import atomic_numbers

from kernels.evaluations import PotentialError, Reference
from kernels.lammps_system import LammpsReference


def open_reference(comm: Any, potential: Mapping[str, Any]) -> Reference:
    """Open a reference potential on a communicator.

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm
        Every rank calls this, and every method of what it returns, with the same arguments.
    potential : mapping
        ``kind`` (``"lammps"``), ``element`` (a chemical symbol), ``pair_style`` (its arguments included) and
        ``pair_coeff`` (a list of such lines without the command, absolute paths inside).

    Returns
    -------
    Reference
        A context manager: leaving it frees the potential.

    Raises
    ------
    PotentialError
        If an entry is missing or wrong, or LAMMPS refuses the potential; it quotes what LAMMPS said.

    Examples
    --------
    >>> from mpi4py import MPI
    >>> lj = {"kind": "lammps", "element": "Ar", "pair_style": "lj/cut 8.5", "pair_coeff": ["* * 0.0104 3.4"]}
    >>> with open_reference(MPI.COMM_SELF, lj) as reference:
    ...     reference.cutoff
    8.5
    """
    kind = potential.get("kind")
    if kind != "lammps":
        raise PotentialError(f"reference potential: kind is {kind!r}; it must be 'lammps'")
    if potential.get("element") not in atomic_numbers:
        raise PotentialError(
            f"reference potential: element is {potential.get('element')!r}; it must be a chemical symbol"
        )
    if not isinstance(potential.get("pair_style"), str) or not potential["pair_style"].strip():
        raise PotentialError("reference potential: pair_style is missing; name a LAMMPS pair style")
    lines = potential.get("pair_coeff")
    if not isinstance(lines, list | tuple) or not lines or not all(isinstance(line, str) for line in lines):
        raise PotentialError("reference potential: pair_coeff must be a list of at least one line of text")
    return LammpsReference(comm, potential["element"], potential["pair_style"], tuple(lines))
