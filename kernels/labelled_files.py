"""Users' own training data: extended XYZ files with energies, forces and virials or stresses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.geometry import complete_cell
from ase.io import iread
from ase.stress import voigt_6_to_full_3x3_stress
from numpy.typing import NDArray

from kernels.evaluations import VOIGT

Floats = NDArray[np.float64]

# Labels that can be observed, and the keys they are looked for under where none is named, in lower case: those of
# ASE, of libAtoms (QUIP, GAP) and of MACE.
KEYS: dict[str, tuple[str, ...]] = {
    "energy": ("energy", "dft_energy", "ref_energy"),
    "forces": ("forces", "force", "dft_forces", "dft_force", "ref_forces", "ref_force"),
    "virial": ("virial", "dft_virial", "ref_virial"),
    "stress": ("stress", "dft_stress", "ref_stress"),
}
# A tensor may be this far from symmetric, and a virial from minus volume times stress, relative to its size: files
# are written to a few digits.
TENSOR_TOLERANCE = 1e-3
# The lowest energy of a set may be this far from the perfect crystal's, eV per atom: no structure is much below it,
# and isolated atoms lie less than 10 eV above.
LOWEST_ENERGY = (-2.0, 20.0)
# Beyond the atoms along a direction that is not periodic, Å: more than any cutoff.
VACUUM = 30.0


class LabelError(ValueError):
    """A training file that cannot be used, with the file, the frame (from 0) and the key."""


def labelled_set(
    comm: Any,
    *,
    files: Sequence[str],
    element: str,
    material: Mapping[str, Any] | None = None,
    energy_per_atom: float | None = None,
    observations: Sequence[str] = ("energy", "forces", "virial"),
    keys: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Read training configurations and their labels from extended XYZ files.

    Energies are in eV, forces in eV/Å. A virial is −dE/d(strain), eV, and a stress is minus that over the volume,
    eV/Å³: positive under tension, as ASE and libAtoms have it. Tensors have nine components, and a stress may have
    six: xx, yy, zz, yz, xz, xy.

    Parameters
    ----------
    comm : mpi4py communicator
        Rank 0 reads.
    files : sequence of str
        Paths, taken one after another.
    element : str
        The only one that may occur.
    material : mapping, optional
        Reference material as plain data: its energy per atom is taken where none is given.
    energy_per_atom : float, optional
        Of the perfect crystal by the method that made the labels, eV: energies count from it, as those of generated
        sets count from the reference's. One potential has one E0, so sets that are mixed need a common zero.
    observations : sequence of str
        Which of energy, forces and virial every frame must have; what is not listed is not read.
    keys : mapping, optional
        Names of energy, forces, virial or stress in the files, exactly as written there. Others are looked for under
        `KEYS`, whatever their case.

    Returns
    -------
    dict
        For n frames of m_i atoms: ``atoms`` (n,), m_i; ``positions`` and ``forces`` (Σ m_i, 3), Å and eV/Å, end to
        end; ``cells`` (n, 3, 3), Å; ``energies`` (n,), relative to m_i atoms of the perfect crystal, eV;
        ``virials`` (n, 6), eV, in the order of `kernels.evaluations.VOIGT`. Labels that are not observed are NaN. As
        `kernels.assembly.factors` takes it. Empty on ranks other than 0.

    Raises
    ------
    LabelError
        If a label is missing, NaN, of a wrong shape, not symmetric or ambiguous, or a file cannot be read, is empty,
        or holds another element; if no zero of the energies is given, or the energies have another.

    Notes
    -----
    Directions that are not periodic are given a vacuum of `VACUUM`. Such frames have no virial.
    """
    if comm.rank != 0:
        return {}
    named = dict(keys or {})
    if energy_per_atom is None:
        if material is None:
            raise LabelError("no zero of the energies is given: name a material or its energy per atom")
        energy_per_atom = float(material["energy_per_atom"])
    if unknown := sorted(set(named) - set(KEYS)):
        raise LabelError(f"keys for {', '.join(unknown)}: only {', '.join(KEYS)} have keys")
    frames = []
    for path in files:
        for number, atoms in _frames(path):
            frames.append(_Frame(f"{path}, frame {number}", atoms, named).labelled(element, observations))
    if not frames:
        raise LabelError("no training file is named")
    # in C order whatever the parser's: sets are read row by row
    joined = {
        name: np.ascontiguousarray(np.concatenate([frame[name] for frame in frames]))
        for name in ("positions", "forces")
    }
    stacked = {name: np.stack([frame[name] for frame in frames]) for name in ("cells", "virials")}
    atoms = np.array([len(frame["positions"]) for frame in frames])
    energies = np.array([frame["energy"] for frame in frames]) - atoms * energy_per_atom
    _check_zero(energies / atoms, energy_per_atom)
    return {"atoms": atoms, "energies": energies, **joined, **stacked}


def _check_zero(energies: Floats, energy_per_atom: float) -> None:
    """Refuse energies per atom that are all far from the crystal's, or below it: one E0 cannot serve both."""
    if np.isnan(energies).all():
        return
    lowest, (least, most) = float(np.nanmin(energies)), LOWEST_ENERGY
    if not least <= lowest <= most:
        raise LabelError(
            f"the lowest energy of the training files is {lowest:.6g} eV per atom from the perfect crystal's "
            f"{energy_per_atom:.6g} eV: another method made them, so give its energy per atom of the perfect crystal"
        )


def _frames(path: str) -> Iterator[tuple[int, Atoms]]:
    number = -1
    try:
        # a name may hold an @, which ASE takes for the beginning of an index
        for number, atoms in enumerate(iread(path, index=":", format="extxyz", do_not_split_by_at_sign=True)):
            yield number, atoms
    except Exception as error:
        # whatever the parser stumbled over: the user is to know where
        where = f"{path}, frame {number + 1}"
        raise LabelError(f"{where}: this is not extended XYZ that can be read: {error}") from error
    if number < 0:
        raise LabelError(f"{path}: the file holds no frame")


class _Frame:
    """One frame of a file, with every value under the key it was written with."""

    def __init__(self, where: str, atoms: Atoms, keys: Mapping[str, str]) -> None:
        self._where, self._atoms, self._keys = where, atoms, keys
        # ASE moves standard names into a calculator, which would zero the forces on constrained atoms
        results = {} if atoms.calc is None else dict(atoms.calc.results)
        self._values = {**atoms.info, **atoms.arrays, **results}

    def labelled(self, element: str, observations: Sequence[str]) -> dict[str, Any]:
        atoms = self._atoms
        if others := sorted(set(atoms.get_chemical_symbols()) - {element}):
            raise self._error(f"it holds {', '.join(others)}; the potential is of {element} alone")
        positions, cell = np.asarray(atoms.positions, dtype=float), np.asarray(atoms.cell.array, dtype=float)
        if not (np.isfinite(positions).all() and np.isfinite(cell).all()):
            raise self._error("a position or the cell is not finite")
        if not len(atoms):
            raise self._error("it holds no atom")
        cells = _periodic(positions, cell, np.asarray(atoms.pbc))
        if not abs(float(np.linalg.det(cells))) > 0.0:
            raise self._error(f"it is periodic, and its cell {cell.tolist()} has no volume; give its Lattice")
        seen = {"energy": np.array(np.nan), "forces": np.full((len(atoms), 3), np.nan)}
        seen |= {
            name: self._label(name, shape)
            for name, shape in {"energy": (), "forces": (len(atoms), 3)}.items()
            if name in observations
        }
        virial = self._virial() if "virial" in observations else np.full((3, 3), np.nan)
        return {
            "positions": positions,
            "cells": cells,
            "energy": float(seen["energy"]),
            "forces": seen["forces"],
            "virials": np.array([virial[pair] for pair in VOIGT]),
        }

    def _virial(self) -> Floats:
        """−dE/d(strain), (3, 3), eV, from a virial or a stress, or from both if they agree."""
        if not self._atoms.pbc.all():
            raise self._error(
                "it is not periodic in all directions, and has no virial; do not observe virials"
            )
        volume = abs(float(np.linalg.det(self._atoms.cell.array)))
        found = {name: self._found(name) for name in ("virial", "stress")}
        if found["virial"] is None and found["stress"] is None:
            raise self._missing("virial", "stress")
        tensors = []
        if found["virial"] is not None:
            tensors.append(self._tensor(found["virial"], voigt=False))
        if found["stress"] is not None:
            tensors.append(-volume * self._tensor(found["stress"], voigt=True))
        size = TENSOR_TOLERANCE * max(float(np.abs(each).max()) for each in tensors)
        if float(np.ptp(tensors, axis=0).max()) > size:
            raise self._error(
                f"{found['virial']!r} is not minus the volume times {found['stress']!r}; check their signs and "
                "units, or name the key of one"
            )
        return tensors[0]

    def _tensor(self, key: str, *, voigt: bool) -> Floats:
        components = np.size(self._values[key])
        if voigt and components == 6:
            return np.asarray(voigt_6_to_full_3x3_stress(self._numbers(key, (6,))), dtype=float)
        tensor = self._numbers(key, (3, 3))
        if float(np.abs(tensor - tensor.T).max()) > TENSOR_TOLERANCE * float(np.abs(tensor).max()):
            raise self._error(f"{key!r} is not symmetric: {tensor.tolist()}")
        return 0.5 * (tensor + tensor.T)

    def _label(self, name: str, shape: tuple[int, ...]) -> Floats:
        key = self._found(name)
        if key is None:
            raise self._missing(name)
        return self._numbers(key, shape)

    def _found(self, name: str) -> str | None:
        """Key under which a label stands in this frame."""
        if name in self._keys:
            return self._keys[name] if self._keys[name] in self._values else None
        if name in ("virial", "stress") and {"virial", "stress"} & set(self._keys):
            # one of the two is named: that one is meant
            return None
        present = [key for key in self._values if key.lower() in KEYS[name]]
        if len(present) > 1:
            raise self._error(
                f"{' and '.join(map(repr, present))} may both be the {name}; name the key that is meant"
            )
        return present[0] if present else None

    def _numbers(self, key: str, shape: tuple[int, ...]) -> Floats:
        # ASE reads T and F as truth values, which would pass for 1 and 0
        if np.asarray(self._values[key]).dtype.kind == "b":
            raise self._error(f"{key!r} is true or false, not a number")
        try:
            values = np.asarray(self._values[key], dtype=float)
        except (TypeError, ValueError):
            raise self._error(f"{key!r} is not numeric: {self._values[key]!r:.80}") from None
        if values.size != int(np.prod(shape)):
            raise self._error(f"{key!r} has {values.size} values of shape {values.shape}; wanted is {shape}")
        if not np.isfinite(values).all():
            raise self._error(f"{key!r} holds a value that is not finite")
        return values.reshape(shape)

    def _missing(self, *names: str) -> LabelError:
        named = [self._keys[name] for name in names if name in self._keys]
        sought = named or [key for name in names for key in KEYS[name]]
        there = sorted(set(self._values) - {"numbers", "positions"})
        return self._error(
            f"it has no {' or '.join(names)} (looked for {', '.join(sought)}; it has {', '.join(there) or 'none'}); "
            f"add it, name its key, or do not observe the {names[0]}"
        )

    def _error(self, message: str) -> LabelError:
        return LabelError(f"{self._where}: {message}")


def _periodic(positions: Floats, cell: Floats, periodic: NDArray[np.bool_]) -> Floats:
    """Cell with a vacuum along the directions that are not periodic."""
    if periodic.all():
        return cell
    whole = np.asarray(complete_cell(cell), dtype=float)
    directions = whole / np.linalg.norm(whole, axis=1)[:, None]
    along = np.linalg.inv(directions)
    lengths = np.ptp(positions @ along, axis=0) + VACUUM * np.linalg.norm(along, axis=0)
    return np.where(periodic[:, None], cell, lengths[:, None] * directions)
