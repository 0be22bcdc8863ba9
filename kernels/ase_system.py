"""Any ASE calculator as a reference: it computes on the first rank, and every rank gets its answers."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar, cast

import numpy as np
from ase import Atoms
from matscipy.neighbours import neighbour_list

from kernels.ase_cutoff import measured_cutoff
from kernels.evaluations import Evaluation, Flags, Floats, Minimum, PotentialError
from kernels.laplacian import NeighbourLaplacian
from kernels.relaxation import Solve, newton_krylov

T = TypeVar("T")

# Vacuum around a cylinder, Å: for calculators that want a cell around all atoms.
VACUUM = 8.0
# Displacement over which forces are differenced for a Hessian product, Å (longest component).
DIFFERENCE = 1e-4
# Atoms nearer than this many times the shortest distance count as bonded in the preconditioner.
BONDED = 1.3
# What cutoffs were measured to be, Å, by factory, options and element: a gang's rank opens a reference many times.
_CUTOFFS: dict[str, float] = {}


class AseReference:
    """An ASE calculator for one element (see `kernels.evaluations.Reference`).

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm
        The calculator lives on its first rank.
    element : str
        Chemical symbol.
    calculator : str
        ``"module:factory"``: a callable that returns a calculator.
    options : mapping
        The factory's keyword arguments.
    cutoff : float, optional
        Distance beyond which an atom does not change another's site energy, Å; measured where it is not given
        (see `kernels.ase_cutoff.measured_cutoff`).

    Raises
    ------
    PotentialError
        If there is no such factory, it or the calculator fails, or the cutoff cannot be measured.
    """

    def __init__(
        self,
        comm: Any,
        element: str,
        calculator: str,
        options: Mapping[str, Any],
        cutoff: float | None = None,
    ) -> None:
        self._comm, self._element = comm, element
        self._named = f"reference calculator {calculator!r} for {element}"
        self._systems = 0
        self._calculator: Any = None

        def opened() -> float:
            self._calculator = _made(calculator, options)
            if cutoff is not None:
                return cutoff
            key = json.dumps([calculator, dict(options), element], sort_keys=True)
            if key not in _CUTOFFS:
                _CUTOFFS[key] = measured_cutoff(self._calculator, element)
            return _CUTOFFS[key]

        self._cutoff = self.on_first(opened)

    @property
    def named(self) -> str:
        """What messages call it."""
        return self._named

    @property
    def cutoff(self) -> float:
        """As given or measured, Å."""
        return self._cutoff

    def cylinder(self, positions: Floats, period: float, bystanders: Flags | None = None) -> AseSystem:  # noqa: ARG002
        """Atoms in vacuum, periodic along z; bystanders are evaluated like any other."""
        width = 2 * (float(np.max(np.abs(positions[:, :2]))) + VACUUM)
        return self._system(positions, np.diag([width, width, float(period)]), (False, False, True))

    def crystal(self, positions: Floats, cell: Floats) -> AseSystem:
        """Atoms in a periodic cell (see `kernels.evaluations.Reference.crystal`).

        Raises
        ------
        PotentialError
            If the cell's vectors are left-handed or dependent.
        """
        if np.linalg.det(cell) <= 0.0:
            raise PotentialError(
                f"periodic cell {np.asarray(cell).tolist()}: its vectors must be right-handed; exchange two"
            )
        return self._system(positions, np.asarray(cell, dtype=float), (True, True, True))

    def close(self) -> None:
        """Forget the calculator and the system; closing twice is allowed."""
        self._calculator = None
        self._systems = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def on_first(self, compute: Callable[[], T]) -> T:
        """Compute on the first rank; every rank gets the answer, or a PotentialError with what went wrong."""
        answer: Any = None
        problem = ""
        if self._comm.rank == 0:
            try:
                answer = compute()
            except Exception as error:  # noqa: BLE001 - whatever a calculator raises, every rank must hear of it
                problem = f"{self.named}: {type(error).__name__}: {error}"
        answer, problem = self._comm.bcast((answer, problem))
        if problem:
            raise PotentialError(problem)
        return cast(T, answer)

    def evaluated(self, atoms: Atoms, name: str) -> Any:
        """Ask the calculator for a property; None where it does not have it. Only the first rank may ask."""
        if name not in self._calculator.implemented_properties:
            return None
        return self._calculator.get_property(name, atoms)

    def is_current(self, number: int) -> bool:
        """Whether the system of this number is the one that was made last."""
        return number == self._systems

    def _system(self, positions: Floats, cell: Floats, periodic: tuple[bool, bool, bool]) -> AseSystem:
        if self._systems < 0:
            raise PotentialError(f"{self.named}: already closed; open the reference again")
        self._systems += 1
        atoms = Atoms(f"{self._element}{len(positions)}", positions=positions, cell=cell, pbc=periodic)
        return AseSystem(self, self._systems, atoms)


class AseSystem:
    """Atoms held by an `AseReference` (see `kernels.evaluations.System`)."""

    def __init__(self, reference: AseReference, number: int, atoms: Atoms) -> None:
        self._reference, self._number, self._atoms = reference, number, atoms

    def forces(self, positions: Floats) -> Floats:
        """Evaluate the forces at (n, 3) positions, eV/Å."""
        self._place(positions)
        return self._reference.on_first(self._forces)

    def evaluate(self, positions: Floats) -> Evaluation:
        """Evaluate energies, forces and virial at (n, 3) positions.

        A calculator without ``energies`` has its total shared out evenly, and `Evaluation.per_site` says so.
        """
        self._place(positions)
        return self._reference.on_first(self._evaluation)

    def minimise(
        self, positions: Floats, free: Flags, force_tolerance: float, most_evaluations: int
    ) -> Minimum:
        """Move the free atoms by Newton–Krylov (see `kernels.evaluations.System.minimise`)."""

        def placed(unknowns: Floats) -> Floats:
            moved = positions.copy()
            moved[free] += unknowns
            return moved

        def forces(unknowns: Floats) -> Floats:
            return self.forces(placed(unknowns))[free]

        def product(unknowns: Floats, direction: Floats) -> Floats:
            step = DIFFERENCE / max(float(np.max(np.abs(direction))), 1e-300) * direction
            change = forces(unknowns - step) - forces(unknowns + step)
            return np.asarray(change * np.max(np.abs(direction)) / (2 * DIFFERENCE))

        course = newton_krylov(
            forces,
            product,
            self._preconditioner(positions, free),
            np.zeros((int(free.sum()), 3)),
            tolerance=force_tolerance,
            most_evaluations=most_evaluations,
        )
        return Minimum(placed(course.displacement), course.residual, course.evaluations, course.converged)

    def _forces(self) -> Floats:
        return self._finite("force", self._reference.evaluated(self._atoms, "forces"))

    def _evaluation(self) -> Evaluation:
        ask, count = self._reference.evaluated, len(self._atoms)
        total = np.array([self._finite("energy", ask(self._atoms, "energy"))])
        energies = ask(self._atoms, "energies")
        virial = np.full(6, np.nan)
        if self._atoms.pbc.all():
            stress = ask(self._atoms, "stress")
            if stress is None:
                raise PotentialError("the calculator gives no stress; use one that does")
            # ASE's order of six components is ours
            virial = -np.asarray(stress, dtype=float) * self._atoms.get_volume()
        return Evaluation(
            np.full(count, total[0] / count) if energies is None else self._finite("energy", energies),
            self._forces(),
            virial,
            per_site=energies is not None,
        )

    def _finite(self, what: str, values: Any) -> Floats:
        if values is None:
            raise PotentialError(f"the calculator gives no {what}; use one that does")
        array = np.array(values, dtype=float)
        bad = ~np.isfinite(array.reshape(len(array) if array.ndim else 1, -1)).all(axis=1)
        if bad.any():
            raise PotentialError(
                f"a non-finite {what} at atom {int(np.argmax(bad))} of {len(self._atoms)}; do atoms coincide?"
            )
        return array

    def _place(self, positions: Floats) -> None:
        if not self._reference.is_current(self._number):
            raise PotentialError("this system was ended by a later one of the same reference; make it again")
        if positions.shape != (len(self._atoms), 3) or not np.isfinite(positions).all():
            raise ValueError(
                f"positions of shape {positions.shape}: ({len(self._atoms)}, 3) finite numbers are needed, Å"
            )
        self._atoms.positions = positions

    def _preconditioner(self, positions: Floats, free: Flags) -> Solve:
        """Neighbour Laplacian where fixed atoms hold the free ones; else every atom by itself."""
        if free.all():
            return np.copy
        near = {"positions": positions, "cell": self._atoms.cell[:], "pbc": self._atoms.pbc}
        nearest = neighbour_list("d", cutoff=self._reference.cutoff, **near).min(
            initial=self._reference.cutoff
        )
        first, second = neighbour_list("ij", cutoff=BONDED * nearest, **near)
        kept = (first < second) & (free[first] | free[second])
        try:
            return NeighbourLaplacian(free, np.stack([first[kept], second[kept]], axis=1), 1.0).solve
        except ValueError:
            # a free atom too far from all others to be held by them
            return np.copy


def _made(calculator: str, options: Mapping[str, Any]) -> Any:
    module, _, name = calculator.partition(":")
    made = getattr(importlib.import_module(module), name)(**options)
    if not hasattr(made, "get_property"):
        raise TypeError(f"{calculator} returned {type(made).__name__}, which is no ASE calculator")
    return made
