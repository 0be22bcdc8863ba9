"""LAMMPS driven as a library on a communicator: one instance, one system at a time."""

from __future__ import annotations

import re
import shlex
import shutil
import tempfile
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

# mpi4py loads the MPI library that LAMMPS is linked to: this order is needed
import mpi4py.MPI  # noqa: F401  # isort: skip
import lammps  # isort: skip

import numpy as np
from ase.data import atomic_masses, atomic_numbers
from numpy.typing import NDArray

from kernels.evaluations import VOIGT, Evaluation, Flags, Floats, Minimum, PotentialError

# Vacuum around a cylinder, Å: more than an atom can rightly move, so leaving it is an error.
VACUUM = 8.0
# Neighbour lists reach this far beyond the cutoff, Å; they are rebuilt once an atom has moved by half of it.
SKIN = 0.5
# LAMMPS's own order of six components.
LAMMPS_PRESSURES = {(0, 0): "pxx", (1, 1): "pyy", (2, 2): "pzz", (0, 1): "pxy", (0, 2): "pxz", (1, 2): "pyz"}
DOUBLES = 1
ALONG_Z = np.array([False, False, True])
EVERYWHERE = np.array([True, True, True])


class LammpsReference:
    """A LAMMPS pair style for one element (see `kernels.evaluations.Reference`).

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm
        Atoms are shared over its ranks.
    element : str
        Chemical symbol, for the mass and for messages.
    pair_style : str
        Style and its arguments.
    pair_coeff : tuple of str
        Lines without the command itself.

    Raises
    ------
    PotentialError
        When LAMMPS refuses the potential. The instance is closed then.
    """

    def __init__(self, comm: Any, element: str, pair_style: str, pair_coeff: tuple[str, ...]) -> None:
        self._comm = comm
        self._element = element
        self._pair_style = pair_style
        self._pair_coeff = pair_coeff
        self._systems = 0
        self._refuse_other_units()
        self._lammps: Any = lammps.lammps(
            comm=comm, cmdargs=["-log", "none", "-screen", "none", "-nocite", "-suffix", "off"]
        )
        # read the potential now, so that a bad one fails here
        self._cutoff = self._measured_cutoff()

    @property
    def cutoff(self) -> float:
        """Largest pair cutoff, Å."""
        return self._cutoff

    def cylinder(self, positions: Floats, period: float, bystanders: Flags | None = None) -> LammpsSystem:
        """Atoms in vacuum, periodic along z (see `kernels.evaluations.Reference.cylinder`)."""
        half = float(np.max(np.abs(positions[:, :2]))) + VACUUM
        box = [
            "boundary f f p",
            "processors * * 1",
            f"region box block {-half!r} {half!r} {-half!r} {half!r} 0.0 {float(period)!r} units box",
        ]
        cell = np.diag([2 * half, 2 * half, float(period)])
        return self._system(positions, cell, np.eye(3), box, ALONG_Z, bystanders)

    def crystal(self, positions: Floats, cell: Floats) -> LammpsSystem:
        """Atoms in a periodic cell (see `kernels.evaluations.Reference.crystal`).

        Raises
        ------
        PotentialError
            If the cell's vectors are left-handed or dependent.
        """
        cell = np.asarray(cell, dtype=float)
        if np.linalg.det(cell) <= 0.0:
            raise PotentialError(
                f"periodic cell {cell.tolist()}: its vectors must be right-handed; exchange two"
            )
        # LAMMPS takes lower-triangular cells: cell = triangular @ rotation
        orthogonal, upper = np.linalg.qr(cell.T)
        signs = np.sign(np.diag(upper))
        triangular, rotation = (signs[:, None] * upper).T, (orthogonal * signs).T
        xx, yy, zz, xy, xz, yz = (
            float(triangular[i]) for i in ((0, 0), (1, 1), (2, 2), (1, 0), (2, 0), (2, 1))
        )
        box = [
            "boundary p p p",
            "box tilt large",
            f"region box prism 0.0 {xx!r} 0.0 {yy!r} 0.0 {zz!r} {xy!r} {xz!r} {yz!r} units box",
        ]
        return self._system(positions, cell, rotation, box, EVERYWHERE, None)

    def close(self) -> None:
        """Free the instance; closing twice is allowed."""
        if self._lammps is not None:
            self._lammps.close()
            self._lammps = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def call(self, name: str, *arguments: Any) -> Any:
        """Call a method of the instance; an objection of LAMMPS becomes a PotentialError and ends it."""
        if self._lammps is None:
            raise PotentialError(f"{self.named}: already closed; open the reference again")
        try:
            return getattr(self._lammps, name)(*arguments)
        except Exception as error:
            self.close()
            said = str(error).strip().replace("\n", "; ")
            raise PotentialError(f"{self.named}: LAMMPS said: {said}") from error

    def logged(self, command: str) -> str:
        """Run a command and return, on every rank, what LAMMPS logged of it."""
        folder = self._comm.bcast(tempfile.mkdtemp(prefix="lammps-") if self._comm.rank == 0 else None)
        path = Path(folder) / "log"
        try:
            self.call("command", f'log "{path}"')
            self.call("command", command)
            self.call("command", "log none")
            text = path.read_text(errors="replace") if self._comm.rank == 0 else None
        finally:
            if self._comm.rank == 0:
                shutil.rmtree(folder, ignore_errors=True)
        return str(self._comm.bcast(text))

    def is_current(self, number: int) -> bool:
        """Whether the system of this number is the one that the instance holds."""
        return self._lammps is not None and number == self._systems

    @property
    def named(self) -> str:
        """What messages call it."""
        return f"reference potential {self._pair_style!r} for {self._element}"

    def _refuse_other_units(self) -> None:
        """Refuse files that say they are in other units than metal, which not every style converts or even notices."""
        found = None
        if self._comm.rank == 0:
            words = [word for line in (self._pair_style, *self._pair_coeff) for word in shlex.split(line)]
            found = next(
                ((word, units) for word in words if (units := _units_of(Path(word))) != "metal"), None
            )
        found = self._comm.bcast(found)
        if found:
            raise PotentialError(
                f"{self.named}: {found[0]} is in LAMMPS's {found[1]} units; give a file in metal units (eV, Å)"
            )

    def _system(
        self,
        positions: Floats,
        cell: Floats,
        rotation: Floats,
        box: list[str],
        periodic: Flags,
        bystanders: Flags | None,
    ) -> LammpsSystem:
        self._systems += 1
        self._create(positions @ rotation.T, box, SKIN)
        if bystanders is not None and bystanders.any():
            self.call("command", f"group bystanders id {_identifiers(bystanders)}")
            self.call("command", "neigh_modify exclude group bystanders bystanders")
        self.call("command", "compute site_energy all pe/atom")
        return LammpsSystem(self, self._systems, len(positions), cell, rotation, periodic)

    def _create(self, positions: Floats, box: list[str], skin: float) -> None:
        mass = float(atomic_masses[atomic_numbers[self._element]])
        count = len(positions)
        before = ["clear", "units metal", "atom_style atomic", "atom_modify map array sort 0 0", *box]
        before += ["create_box 1 box", f"mass 1 {mass!r}"]
        for command in before:
            self.call("command", command)
        flat = np.ascontiguousarray(positions, dtype=float).ravel().tolist()
        self.call("create_atoms", count, list(range(1, count + 1)), [1] * count, flat)
        if (held := int(self.call("get_natoms"))) != count:
            raise PotentialError(f"{self.named}: LAMMPS took {held} of {count} atoms; are positions finite?")
        after = [f"pair_style {self._pair_style}", *(f"pair_coeff {line}" for line in self._pair_coeff)]
        after += [f"neighbor {skin} bin", "neigh_modify every 1 delay 0 check yes", "thermo 1"]
        for command in after:
            self.call("command", command)

    def _measured_cutoff(self) -> float:
        # the library has no call for it; with no skin the neighbour summary of a run names it
        self._create(np.zeros((1, 3)), ["region box block -20 20 -20 20 -20 20 units box"], 0.0)
        summary = self.logged("run 0 post no")
        found = re.search(r"master list distance cutoff = (\S+)", summary)
        if found is None:
            self.close()
            raise PotentialError(f"{self.named}: it has no pair cutoff; use a finite-range pair style")
        return float(found.group(1))


class LammpsSystem:
    """Atoms held by a `LammpsReference` (see `kernels.evaluations.System`)."""

    def __init__(
        self,
        reference: LammpsReference,
        number: int,
        count: int,
        cell: Floats,
        rotation: Floats,
        periodic: Flags,
    ) -> None:
        self._reference = reference
        self._number = number
        self._count = count
        self._cell = cell
        self._rotation = rotation
        self._periodic = periodic
        self._lists_made = False
        # where atoms were when LAMMPS last made its lists, and the whole cells that brought them inside then
        self._listed: Floats | None = None
        self._wrapped_by = np.zeros((count, 3))

    def forces(self, positions: Floats) -> Floats:
        """Evaluate the forces at (n, 3) positions, eV/Å."""
        self._place(positions)
        # "run 0 pre no" evaluates nothing; a step without an integrator evaluates where the atoms are
        self._reference.call("command", "run 1 pre no post no" if self._lists_made else "run 0 post no")
        self._lists_made = True
        return self._finite("force", self._gather("gather_atoms", "f", 3) @ self._rotation)

    def evaluate(self, positions: Floats) -> Evaluation:
        """Evaluate site energies, forces and virial at (n, 3) positions."""
        self._listed = None
        self._place(positions)
        self._reference.call("command", "run 0 post no")
        self._lists_made = True
        site_energies = self._finite("energy", self._gather("gather", "c_site_energy", 1)[:, 0])
        forces = self._finite("force", self._gather("gather_atoms", "f", 3) @ self._rotation)
        return Evaluation(site_energies, forces, self._virial())

    def minimise(
        self, positions: Floats, free: Flags, force_tolerance: float, most_evaluations: int
    ) -> Minimum:
        """Move the free atoms by conjugate gradients (see `kernels.evaluations.System.minimise`)."""
        self._listed = None
        self._place(positions)
        call = self._reference.call
        frozen = not free.all()
        if frozen:
            call("command", f"group frozen id {_identifiers(~free)}")
            call("command", "fix frozen frozen setforce 0.0 0.0 0.0")
        call("command", "min_style cg")
        call("command", "min_modify norm inf")
        log = self._reference.logged(
            f"minimize 0.0 {float(force_tolerance)!r} {most_evaluations} {most_evaluations}"
        )
        counted = re.search(r"Iterations, force evaluations = \d+ (\d+)", log)
        if frozen:
            call("command", "unfix frozen")
            call("command", "group frozen delete")
        moved = self._gather("gather_atoms", "x", 3) @ self._rotation - positions
        # LAMMPS wraps atoms into the cell as it rebuilds its lists
        moved -= np.round(moved @ np.linalg.inv(self._cell)) @ self._cell
        final = np.where(free[:, None], positions + moved, positions)
        forces = self.evaluate(final).forces
        residual = float(np.max(np.abs(forces[free]), initial=0.0))
        evaluations = (int(counted.group(1)) if counted else 0) + 1
        return Minimum(final, residual, evaluations, residual <= force_tolerance)

    def _place(self, positions: Floats) -> None:
        if not self._reference.is_current(self._number):
            raise PotentialError("this system was ended by a later one of the same reference; make it again")
        if positions.shape != (self._count, 3) or not np.isfinite(positions).all():
            raise ValueError(
                f"positions of shape {positions.shape}: ({self._count}, 3) finite numbers are needed, Å"
            )
        inside = positions - self._wrapping(positions)
        placed = np.ascontiguousarray(inside @ self._rotation.T, dtype=float)
        self._reference.call("scatter_atoms", "x", DOUBLES, 3, np.ctypeslib.as_ctypes(placed.ravel()))

    def _wrapping(self, positions: Floats) -> Floats:
        """Whole cells that bring atoms inside, the same until lists are due: a jump across would look like a move."""
        moved = np.inf if self._listed is None else np.max(np.sum((positions - self._listed) ** 2, axis=1))
        if moved > (SKIN / 2) ** 2:
            self._listed = positions.copy()
            cells = np.floor(positions @ np.linalg.inv(self._cell)) * self._periodic
            self._wrapped_by = cells @ self._cell
        return self._wrapped_by

    def _gather(self, method: str, name: str, width: int) -> Floats:
        gathered = self._reference.call(method, name, DOUBLES, width)
        return np.array(np.ctypeslib.as_array(gathered), dtype=float).reshape(self._count, width)

    def _virial(self) -> Floats:
        per_bar = abs(np.linalg.det(self._cell)) / self._bars_per_volume
        tensor = np.zeros((3, 3))
        for (row, column), name in LAMMPS_PRESSURES.items():
            tensor[row, column] = tensor[column, row] = self._reference.call("get_thermo", name) * per_bar
        rotated = self._rotation.T @ tensor @ self._rotation
        return np.array([rotated[pair] for pair in VOIGT])

    @cached_property
    def _bars_per_volume(self) -> float:
        """Bars in one eV/Å³, by LAMMPS's own constants, so that virials and energies agree."""
        return float(self._reference.call("extract_global", "nktv2p"))

    def _finite(self, what: str, values: Floats) -> Floats:
        bad = ~np.isfinite(values.reshape(self._count, -1)).all(axis=1)
        if bad.any():
            raise PotentialError(
                f"{self._reference.named}: a non-finite {what} at atom {int(np.argmax(bad))} of {self._count}; "
                "do atoms coincide?"
            )
        return values


def _units_of(path: Path) -> str:
    """Units that a potential file names in its first line, metal where it names none or is no file."""
    try:
        with path.open(errors="replace") as file:
            named = re.search(r"\bUNITS:\s*(\w+)", file.readline())
    except OSError:
        named = None
    return named.group(1) if named else "metal"


def _identifiers(mask: NDArray[np.bool_]) -> str:
    """LAMMPS's names of the marked atoms, runs of neighbours as first:last.

    Examples
    --------
    >>> _identifiers(np.array([True, True, False, True]))
    '1:2 4:4'
    """
    edges = np.diff(np.concatenate([[0], mask.astype(int), [0]]))
    firsts, ends = np.flatnonzero(edges == 1) + 1, np.flatnonzero(edges == -1)
    return " ".join(f"{first}:{last}" for first, last in zip(firsts, ends, strict=True))
