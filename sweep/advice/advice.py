"""Advice on what to label, how to weight it, and what to fit, from a store alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import xarray as xr

from sweep.advice.cheapest import Cheapest, cheapest_of
from sweep.advice.conclusions import asked, conclusions
from sweep.advice.elsewhere import Elsewhere, elsewhere_of
from sweep.advice.errors import AdviceError
from sweep.advice.front import Front, front_of
from sweep.advice.observations import Effect, effects_of, most_worth_adding
from sweep.advice.points import points_of
from sweep.advice.regret import BestWeighting, best_weighting
from sweep.advice.transfer import Transfer, transfers_of
from sweep.advice.trials import trials_of


@dataclass(frozen=True)
class Advice:
    """What a store says of how to reach a tolerance.

    Parameters
    ----------
    error, units
        The error, and its unit.
    tolerance, confidence, share
        What was asked.
    cheapest
        For each thing simulated, and, where these are several, for all of it at the end: the cheapest point.
    fronts
        In the same order: what error costs what labelling.
    weighting
        The one to regret least.
    effects
        What each kind of observation does.
    add_next
        The kind of observation that helps most, if one does.
    transfers
        How the choice of weighting carries over to a dislocation left out of it.
    elsewhere
        How wrong fits are on dislocations that they were not trained on.
    """

    error: str
    units: str
    tolerance: float
    confidence: float
    share: float
    cheapest: tuple[Cheapest, ...]
    fronts: tuple[Front, ...]
    weighting: BestWeighting
    effects: tuple[Effect, ...]
    add_next: str | None
    transfers: tuple[Transfer, ...]
    elsewhere: tuple[Elsewhere, ...] = ()

    def __str__(self) -> str:
        """Give what it comes to, in sentences, a line each."""
        return "\n".join((f"{asked(self)}:", *conclusions(self)))


def advise(
    ds: xr.Dataset,
    tolerance: float,
    error: str = "geometry_error",
    *,
    confidence: float = 0.95,
    share: float = 0.5,
) -> Advice:
    """Find the cheapest way to an error, the weighting to regret least, and the observations worth having.

    Replicas, the independent training sets, are the sampling unit throughout. Points that did not end as
    measurements (unconverged, in another minimum, failed) count against the recipe and weighting they belong to.

    Parameters
    ----------
    ds
        A store, as `sweep.open_store` or `xarray.open_zarr` gives it, or a part of one.
    tolerance
        The largest error that will do, in the error's own unit.
    error
        Name of a variable over the store's points: ``"geometry_error"``, ``"energy_error"``, or, where nothing
        was relaxed, ``"geometry_estimate"``.
    confidence
        Of every statement.
    share
        Share of training sets whose error is to stay within the tolerance: half of them, so that a typical one
        does, or 0.9, say.

    Raises
    ------
    AdviceError
        If the error is not one of points, the tolerance no number above 0, or a share or confidence out of range.
        Data never raise: where something cannot be told, it says why.

    References
    ----------
    `sweep.advice.limits` for the limits; `sweep.advice.regret`, `sweep.advice.observations`, `sweep.advice.transfer`
    and `sweep.advice.elsewhere` for the comparisons. Minimax regret: L. J. Savage, J. Am. Stat. Assoc. 46:55 (1951).

    Examples
    --------
    >>> radius = xr.DataArray([6.0, 8.0, 10.0], dims="domain_radius")
    >>> scatter = xr.DataArray([0.98, 1.0, 1.01, 1.02], dims="replica")
    >>> ds = xr.Dataset({"geometry_error": 0.06 / radius * scatter}, {"domain_radius": radius})
    >>> ds["labelled_atoms"] = (3 * radius**2).broadcast_like(ds.geometry_error)
    >>> ds["status"] = xr.full_like(ds.geometry_error, 2, dtype="uint8")
    >>> advice = advise(ds, tolerance=0.008)
    >>> advice.cheapest[0].verdict, advice.cheapest[0].point
    ('meets', {'domain_radius': 8.0})
    >>> advice.weighting.reason
    'no weights to choose from'
    """
    if not (math.isfinite(tolerance) and tolerance > 0):
        raise AdviceError(f"tolerance is {tolerance!r}; give a number above 0 in the unit of {error}")
    for name, value in (("confidence", confidence), ("share", share)):
        if not 0 < value < 1:
            raise AdviceError(f"{name} is {value!r}; give a number between 0 and 1")
    trials = trials_of(ds, error)
    points = tuple(points_of(trials, confidence, share))
    effects = effects_of(trials, confidence)
    return Advice(
        error=error,
        units=trials.units,
        tolerance=tolerance,
        confidence=confidence,
        share=share,
        cheapest=tuple(cheapest_of(each, tolerance) for each in points),
        fronts=tuple(front_of(each) for each in points),
        weighting=best_weighting(trials, confidence),
        effects=effects,
        add_next=most_worth_adding(effects),
        transfers=transfers_of(trials, confidence),
        elsewhere=elsewhere_of(ds, trials, confidence),
    )
