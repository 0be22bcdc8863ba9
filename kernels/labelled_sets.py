"""Training sets read one configuration at a time, so that memory does not grow with their number."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Arrays of a bulk set or of labelled files that have an entry for each configuration, or rows for each of its atoms.
OF_CONFIGURATIONS = ("cells", "energies", "virials")
OF_ATOMS = ("positions", "forces")


@dataclass(frozen=True)
class LabelledCell:
    """A periodic cell and what the reference says of it.

    Attributes
    ----------
    positions : (m, 3)
        Å.
    cell : (3, 3)
        Rows are its vectors, Å.
    energy : float
        Relative to m atoms of the perfect crystal, eV. NaN where it is not known, like the other labels.
    forces : (m, 3)
        eV/Å.
    virial : (6,)
        −dE/d(strain) in the order of `kernels.evaluations.VOIGT`, eV.
    """

    positions: Floats
    cell: Floats
    energy: float
    forces: Floats
    virial: Floats


@dataclass(frozen=True)
class LabelledCore:
    """Perturbed positions around a dislocation core, and what the reference says of them.

    Attributes
    ----------
    positions : (m, 3)
        Å.
    energy : float
        Relative to the set's anchor, eV.
    forces : (observed, 3)
        eV/Å.
    """

    positions: Floats
    energy: float
    forces: Floats


def labelled_cells(path: str, share: int = 0, shares: int = 1) -> Iterator[LabelledCell]:
    """Read the cells of `kernels.training.bulk_set` or of `kernels.labelled_files.labelled_set` one by one.

    Parameters
    ----------
    path : str
        The set, an ``.npz`` file. Cells of different sizes lie end to end in ``positions`` and ``forces``, with
        their numbers of atoms in ``atoms``; without that, each configuration is an entry.
    share, shares : int
        Which of how many contiguous shares to read.

    Yields
    ------
    LabelledCell
        In the order of the set.

    Raises
    ------
    ValueError
        If the file is no such set.
    """
    with zipfile.ZipFile(path) as archive:
        if "atoms.npy" in archive.namelist():
            counts = _whole(archive, "atoms").tolist()
        else:
            with _Entry(archive, "positions") as positions:
                counts = [1] * positions.length
        own = _own(len(counts), share, shares)
        arrays = _opened(archive, OF_CONFIGURATIONS, own.start) | _opened(
            archive, OF_ATOMS, sum(counts[: own.start])
        )
        for number in own:
            taken = {
                name: each.take(counts[number] if name in OF_ATOMS else 1) for name, each in arrays.items()
            }
            yield LabelledCell(
                taken["positions"].reshape(-1, 3),
                taken["cells"][0],
                float(taken["energies"][0]),
                taken["forces"].reshape(-1, 3),
                taken["virials"][0],
            )


def labelled_cores(path: str, share: int = 0, shares: int = 1) -> Iterator[LabelledCore]:
    """Read the configurations of `kernels.training.core_set` one by one.

    Parameters
    ----------
    path : str
        The set, an ``.npz`` file.
    share, shares : int
        As in `labelled_cells`.

    Yields
    ------
    LabelledCore
        In the order of the set.

    Raises
    ------
    ValueError
        If the file is no such set.
    """
    with zipfile.ZipFile(path) as archive:
        with _Entry(archive, "positions") as positions:
            count = positions.length
        own = _own(count, share, shares)
        arrays = _opened(archive, ("positions", "energies", "forces"), own.start)
        for _ in own:
            taken = {name: each.take(1)[0] for name, each in arrays.items()}
            yield LabelledCore(taken["positions"], float(taken["energies"]), taken["forces"])


def common_arrays(path: str, *names: str) -> dict[str, NDArray[Any]]:
    """Read arrays that all configurations of a set share.

    Parameters
    ----------
    path : str
        The set.
    *names : str
        Their names.

    Returns
    -------
    dict
        Name to array.

    Raises
    ------
    ValueError
        If the file is no such set.
    """
    with zipfile.ZipFile(path) as archive:
        return {name: _whole(archive, name) for name in names}


def _own(count: int, share: int, shares: int) -> range:
    edges = [count * number // shares for number in range(shares + 1)]
    return range(edges[share], edges[share + 1])


def _opened(archive: zipfile.ZipFile, names: tuple[str, ...], skipped: int) -> dict[str, _Entry]:
    entries = {name: _Entry(archive, name) for name in names}
    for each in entries.values():
        each.skip(skipped)
    return entries


def _whole(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    with _Entry(archive, name) as entry:
        return entry.take(entry.length) if entry.shape else entry.take(1)[0]


class _Entry:
    """One array of an ``.npz`` file, read along its first dimension; one stored by columns is held whole."""

    def __init__(self, archive: zipfile.ZipFile, name: str) -> None:
        try:
            self._file: IO[bytes] = archive.open(f"{name}.npy")
        except KeyError:
            raise ValueError(f"{archive.filename} holds no {name}: it is not a set of this kind") from None
        self._name = f"{name} of {archive.filename}"
        version = np.lib.format.read_magic(self._file)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        self.shape, by_columns, self._dtype = read[version](self._file)
        if by_columns and len(self.shape) > 1:
            # its rows do not lie together: it can only be read whole
            count = int(np.prod(self.shape))
            columns = np.frombuffer(self._file.read(count * self._dtype.itemsize), self._dtype, count)
            self._file = BytesIO(np.ascontiguousarray(columns.reshape(self.shape[::-1]).T).tobytes())

    @property
    def length(self) -> int:
        return int(self.shape[0]) if self.shape else 1

    def take(self, rows: int) -> NDArray[Any]:
        shape = (rows, *self.shape[1:])
        size = int(np.prod(shape)) * self._dtype.itemsize
        data = self._file.read(size)
        if len(data) != size:
            raise ValueError(f"{self._name} ends before its last row: the file is damaged")
        return np.frombuffer(data, dtype=self._dtype).reshape(shape)

    def skip(self, rows: int) -> None:
        self._file.seek(rows * int(np.prod(self.shape[1:])) * self._dtype.itemsize, 1)

    def __enter__(self) -> _Entry:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
