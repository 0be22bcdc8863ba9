"""The reference potential: what a study's truth is computed with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ase.data import atomic_numbers

from kernels.ase_system import AseReference
from kernels.evaluations import PotentialError, Reference
from kernels.finnis_sinclair import FinnisSinclair, TabulatedReference
from kernels.lammps_system import LammpsReference


def open_reference(comm: Any, potential: Mapping[str, Any]) -> Reference:
    """Open a reference potential on a communicator.

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm
        Every rank calls this, and every method of what it returns, with the same arguments.
    potential : mapping
        ``element`` (a chemical symbol), ``kind``, and what belongs to the kind. ``"lammps"``: ``pair_style`` (its
        arguments included) and ``pair_coeff`` (a list of such lines without the command, absolute paths inside).
        ``"finnis-sinclair"``: ``constants`` (a mapping, see `kernels.finnis_sinclair.FinnisSinclair`) and ``points``
        (of its table). ``"ase"``: ``calculator`` (``"module:factory"``), ``options`` (a mapping of the factory's
        arguments) and ``cutoff`` (Å, or None to measure it). Entries that a kind does not know are left alone:
        they say what else its numbers depend on.

    Returns
    -------
    Reference
        A context manager: leaving it frees the potential.

    Raises
    ------
    PotentialError
        If an entry is missing or wrong, or the potential is refused; it quotes what LAMMPS or the calculator said.

    Examples
    --------
    >>> from mpi4py import MPI
    >>> lj = {"kind": "lammps", "element": "Ar", "pair_style": "lj/cut 8.5", "pair_coeff": ["* * 0.0104 3.4"]}
    >>> with open_reference(MPI.COMM_SELF, lj) as reference:
    ...     reference.cutoff
    8.5
    """
    kind, element = potential.get("kind"), potential.get("element")
    if kind not in _OPENERS:
        raise PotentialError(
            f"reference potential: kind is {kind!r}; it must be one of {', '.join(_OPENERS)}"
        )
    if element not in atomic_numbers:
        raise PotentialError(f"reference potential: element is {element!r}; it must be a chemical symbol")
    return _OPENERS[kind](comm, str(element), potential)


def name_of(potential: Mapping[str, Any]) -> str:
    """Name a potential for a message: its pair style, its calculator, or its kind.

    Examples
    --------
    >>> name_of({"kind": "lammps", "element": "W", "pair_style": "eam/alloy"})
    "'eam/alloy'"
    """
    return repr(potential.get("pair_style") or potential.get("calculator") or potential.get("kind"))


def _lammps(comm: Any, element: str, potential: Mapping[str, Any]) -> Reference:
    style, lines = potential.get("pair_style"), potential.get("pair_coeff")
    if not isinstance(style, str) or not style.strip():
        raise PotentialError("reference potential: pair_style is missing; name a LAMMPS pair style")
    if not isinstance(lines, list | tuple) or not lines or not all(isinstance(line, str) for line in lines):
        raise PotentialError("reference potential: pair_coeff must be a list of at least one line of text")
    return LammpsReference(comm, element, style, tuple(lines))


def _finnis_sinclair(comm: Any, element: str, potential: Mapping[str, Any]) -> Reference:
    constants, points = potential.get("constants"), potential.get("points")
    if not isinstance(constants, Mapping) or not isinstance(points, int):
        raise PotentialError("reference potential: constants must be a mapping, and points a whole number")
    try:
        finnis_sinclair = FinnisSinclair(**constants)
    except TypeError as error:
        raise PotentialError(f"reference potential: constants {dict(constants)}: {error}") from error
    return TabulatedReference(comm, element, finnis_sinclair, points)


def _ase(comm: Any, element: str, potential: Mapping[str, Any]) -> Reference:
    calculator, options = potential.get("calculator"), potential.get("options", {})
    if not isinstance(calculator, str) or not all(calculator.partition(":")[::2]):
        raise PotentialError(
            f"reference potential: calculator is {calculator!r}; it must be 'module:factory'"
        )
    if not isinstance(options, Mapping):
        raise PotentialError(f"reference potential: options are {options!r}; they must be a mapping")
    return AseReference(comm, element, calculator, options, potential.get("cutoff"))


_OPENERS = {"lammps": _lammps, "finnis-sinclair": _finnis_sinclair, "ase": _ase}
