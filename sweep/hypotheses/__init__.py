"""The hypotheses of the case study, each tested on a store, whichever way it comes out."""

from __future__ import annotations

import xarray as xr

from sweep.hypotheses.fit_accuracy import follows_forces, follows_virials
from sweep.hypotheses.simulated_domain import grows_as_predicted
from sweep.hypotheses.training_domain import falls_with_domain_radius
from sweep.hypotheses.virials import (
    mismatch_explains_departures,
    mismatch_rather_than_forces,
    proportional_to_forces,
)
from sweep.needed import need

__all__ = [
    "examine",
    "falls_with_domain_radius",
    "follows_forces",
    "follows_virials",
    "grows_as_predicted",
    "mismatch_explains_departures",
    "mismatch_rather_than_forces",
    "proportional_to_forces",
]


def examine(ds: xr.Dataset) -> dict[str, xr.Dataset]:
    """Test every hypothesis on a store.

    Parameters
    ----------
    ds
        A store, as `sweep.open_store` gives it.

    Returns
    -------
    dict of xarray.Dataset
        By the hypothesis's name, then what each fit error does where the other is fixed: ``value`` of a statistic
        with ``low`` and ``high`` (95 %), ``verdict`` (supported, contradicted, cannot tell) and ``data``, what it
        rests on, over the groups that were tested one by one. The claim and the statistic in words are attributes.

    Raises
    ------
    sweep.needed.VariableMissingError
        A KeyError, if the dataset lacks a variable that they need; it says which.

    References
    ----------
    theory.md, *Why virials matter*.
    """
    names = ["geometry_error", "far_field_mismatch", "rmse_forces", "rmse_virial", "labelled_atoms", "status"]
    need(ds, names, "hypotheses")
    ds = ds[names].compute()
    return {
        "H1": mismatch_rather_than_forces(ds),
        "H2": proportional_to_forces(ds),
        "H2, departures": mismatch_explains_departures(ds),
        "H3": falls_with_domain_radius(ds),
        "H4": grows_as_predicted(ds),
        "fit, forces": follows_forces(ds),
        "fit, virials": follows_virials(ds),
    }
