"""Which columns of a Hessian can be differenced together."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix

Integers = NDArray[np.int64]


def colour_columns(pattern: Any) -> list[Integers]:
    """Group columns so that no row meets two columns of one group.

    Greedy colouring of the graph that joins columns with a common row: each column in turn takes the first
    group that has none of its neighbours.

    Parameters
    ----------
    pattern : sparse matrix, (rows, columns)
        Where entries may be non-zero; its values do not matter.

    Returns
    -------
    list of ndarray of int
        Column indices, each column in exactly one group, ascending.

    Examples
    --------
    >>> from scipy.sparse import diags
    >>> tridiagonal = diags([1.0, 1.0, 1.0], [-1, 0, 1], shape=(6, 6))
    >>> [group.tolist() for group in colour_columns(tridiagonal)]
    [[0, 3], [1, 4], [2, 5]]
    """
    entries = csc_matrix(pattern, dtype=bool).astype(np.int64)
    conflicts = (entries.T @ entries).tocsr()
    columns = entries.shape[1]
    colours = np.full(columns, -1, dtype=np.int64)
    for column in range(columns):
        near = colours[conflicts.indices[conflicts.indptr[column] : conflicts.indptr[column + 1]]]
        # n neighbours cannot block more than the first n groups
        open_groups = np.ones(len(near) + 1, dtype=bool)
        open_groups[near[(near >= 0) & (near <= len(near))]] = False
        colours[column] = int(np.argmax(open_groups))
    return [np.flatnonzero(colours == colour) for colour in range(int(colours.max(initial=-1)) + 1)]
