"""What a dataset must have to be asked something, and what is said where it has not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # whoever imports xarray imports the accessor, which imports this
    import xarray as xr


class VariableMissingError(KeyError):
    """A dataset was asked something that takes variables which it does not have: a part of a store, or none."""

    def __str__(self) -> str:
        """Give the message as it is; a KeyError's own would be quoted."""
        return f"{self.args[0]}"


def need(ds: xr.Dataset, names: Iterable[str], purpose: str) -> None:
    """Refuse a dataset without some variables.

    Parameters
    ----------
    ds
        A store, or a part of one.
    names
        Of the variables that it must have.
    purpose
        What needs them, to begin the message with.

    Raises
    ------
    VariableMissingError
        Naming what is missing and what there is.

    Examples
    --------
    >>> import xarray as xr
    >>> need(xr.Dataset({"rank": 3}), ["rank", "status"], "usable points")
    Traceback (most recent call last):
    sweep.needed.VariableMissingError: usable points: the dataset has no status; its variables are rank. Open a whole \
store, with sweep.open_store
    """
    if missing := [name for name in names if name not in ds.variables]:
        known = ", ".join(sorted(map(str, ds.data_vars))) or "none"
        raise VariableMissingError(
            f"{purpose}: the dataset has no {', '.join(missing)}; its variables are {known}. Open a whole store, with "
            "sweep.open_store"
        )
