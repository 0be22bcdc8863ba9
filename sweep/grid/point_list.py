"""Points listed one by one, in the place of a product of axes."""

from __future__ import annotations

from dataclasses import dataclass

from sweep.grid.dimensions import DIMENSIONS, AxisValue, GridError


@dataclass(frozen=True)
class PointList:
    """Points by their labels on some axes; along the others every label is meant.

    Parameters
    ----------
    columns
        Names of the axes.
    rows
        Labels of a point on these, a row each.

    Raises
    ------
    GridError
        If there are no columns or rows, or one is repeated, unknown, or of another length.

    Examples
    --------
    >>> listed = PointList(("degree", "weight_virial"), ((8, 1.0), (6, 0.0)))
    >>> listed.labels("degree")
    (6, 8)
    >>> print(listed.text)
    degree,weight_virial
    8,1.0
    6,0.0
    <BLANKLINE>
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[AxisValue, ...], ...]

    def __post_init__(self) -> None:
        unknown = [name for name in self.columns if name not in DIMENSIONS]
        if unknown or not self.columns or len(set(self.columns)) < len(self.columns):
            raise GridError(f"a list of points has the columns {self.columns}; name axes, each once")
        if not self.rows or any(len(row) != len(self.columns) for row in self.rows):
            raise GridError(f"a list of points has rows of {len(self.columns)} labels, at least one")
        if len(set(self.rows)) < len(self.rows):
            raise GridError("a list of points has a row twice")

    def labels(self, column: str) -> tuple[AxisValue, ...]:
        """Give the labels in a column: numbers ascending, words in the order in which they come.

        So a row may be added anywhere in a list, and the axes stay as they are.
        """
        place = self.columns.index(column)
        found = dict.fromkeys(row[place] for row in self.rows)
        return tuple(found) if column == "dislocation" else tuple(sorted(found))

    @property
    def text(self) -> str:
        """The list as CSV, a line of names first."""
        lines = [self.columns, *self.rows]
        return "".join(",".join(map(str, line)) + "\n" for line in lines)
