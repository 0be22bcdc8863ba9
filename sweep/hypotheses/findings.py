"""What the test of a hypothesis found: a statistic with its interval, a verdict, and the data it rests on."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import stdtrit

from sweep.variables import Status

SUPPORTED, CONTRADICTED, CANNOT_TELL = "supported", "contradicted", "cannot tell"
CONFIDENCE = 0.95

#: Dimensions for each of whose values a hypothesis is tested by itself.
GROUPS = ("dislocation", "simulation_radius")
REPLICA = "replica"


def measured(ds: xr.Dataset, name: str) -> xr.DataArray:
    """Give a variable where points are relaxed and the value is above zero, NaN elsewhere."""
    values = ds[name]
    return values.where((ds["status"] == Status.relaxed) & np.isfinite(values) & (values > 0))


def core_forces(ds: xr.Dataset) -> xr.DataArray:
    """Give the force RMSE on held-out cores."""
    forces = ds["rmse_forces"].sel(config_kind="core", drop=True)
    return forces.where(forces > 0)


def by_replica(values: xr.DataArray) -> xr.Dataset:
    """Average over replicas, with Student's interval.

    Parameters
    ----------
    values
        A statistic of each replica, NaN where it has none.

    Returns
    -------
    xarray.Dataset
        ``value``, ``low``, ``high``; no interval below two replicas.
    """
    count = values.notnull().sum(REPLICA)
    total = values.fillna(0.0).sum(REPLICA)
    mean = (total / count.where(count > 0)).rename(None)
    squares = ((values - mean) ** 2).fillna(0.0).sum(REPLICA)
    freedom = (count - 1).where(count > 1)
    half = np.sqrt(squares / freedom / count) * stdtrit(freedom, (1 + CONFIDENCE) / 2)
    return xr.Dataset({"value": mean, "low": mean - half, "high": mean + half})


def finding(
    claim: str, statistic: str, found: xr.Dataset, verdict: NDArray[np.str_], data: NDArray[np.str_]
) -> xr.Dataset:
    """Put a finding together.

    Parameters
    ----------
    claim
        The hypothesis, in words.
    statistic
        What was computed to test it.
    found
        ``value``, ``low`` and ``high``, over the groups.
    verdict, data
        For each group: whether the claim holds, and what the statistic rests on.
    """
    result = found[["value", "low", "high"]]
    for name, words in (("verdict", verdict), ("data", data)):
        result[name] = (result["value"].dims, np.broadcast_to(words, result["value"].shape))
    for name in ("value", "low", "high"):
        result[name].attrs = {"units": "1", "long_name": statistic}
    return result.assign_attrs(claim=claim, statistic=statistic, confidence=CONFIDENCE)


def above(found: xr.Dataset, least: float = 0.0) -> NDArray[np.str_]:
    """Judge the claim that a statistic is above some number."""
    supported, contradicted = (found["low"] > least).values, (found["high"] < least).values
    return np.where(supported, SUPPORTED, np.where(contradicted, CONTRADICTED, CANNOT_TELL))


def between(found: xr.Dataset, least: float, most: float) -> NDArray[np.str_]:
    """Judge the claim that a statistic lies between two numbers."""
    low, high = found["low"].values, found["high"].values
    supported, contradicted = (low >= least) & (high <= most), (high < least) | (low > most)
    return np.where(supported, SUPPORTED, np.where(contradicted, CONTRADICTED, CANNOT_TELL))


def untestable(claim: str, statistic: str, why: str) -> xr.Dataset:
    """Give the finding of a store that cannot test a hypothesis at all."""
    nothing = xr.Dataset({name: xr.DataArray(np.nan) for name in ("value", "low", "high")})
    return finding(claim, statistic, nothing, np.array(CANNOT_TELL), np.array(why))


def fits_words(fits: NDArray[np.int64], usable: NDArray[np.bool_], least: int) -> NDArray[np.str_]:
    """Say how many relaxed fits the statistics of groups rest on, or why on none.

    Parameters
    ----------
    fits : (..., replicas)
        Relaxed fits of each replica.
    usable : (..., replicas)
        Which replicas have a statistic.
    least
        Fits that a replica needs.

    Examples
    --------
    >>> fits = np.array([[9, 3], [2, 3], [9, 9]])
    >>> usable = np.array([[True, False], [False, False], [False, False]])
    >>> for words in fits_words(fits, usable, 8):
    ...     print(words)
    9 relaxed fits in 1 replica of at least 8
    no replica has 8 relaxed fits: the most is 3
    none of 18 relaxed fits: their errors vary together, or not at all
    """
    words = np.empty(fits.shape[:-1], dtype=object)
    for place in np.ndindex(words.shape):
        replicas, most = int(usable[place].sum()), int(fits[place].max(initial=0))
        if replicas:
            number, several = int(fits[place][usable[place]].sum()), "s" * (replicas != 1)
            words[place] = f"{number} relaxed fits in {replicas} replica{several} of at least {least}"
        elif most < least:
            words[place] = f"no replica has {least} relaxed fits: the most is {most}"
        else:
            words[place] = (
                f"none of {int(fits[place].sum())} relaxed fits: their errors vary together, or not at all"
            )
    return words.astype(str)


def radii_words(count: int) -> str:
    """Write how many radii there are.

    Examples
    --------
    >>> radii_words(1), radii_words(3)
    ('1 radius', '3 radii')
    """
    return f"{count} radi{'us' if count == 1 else 'i'}"
