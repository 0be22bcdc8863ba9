"""H3: the geometry error falls with the training domain's radius, at a fixed number of force rows."""

from __future__ import annotations

import numpy as np
import xarray as xr

from sweep.hypotheses.findings import CONFIDENCE, above, finding, measured, radii_words, untestable
from sweep.rates import fit_rate

#: Radii that the hypothesis is about (Å), and how many of them a test takes at the least.
RADII, LEAST_RADII = (6.0, 20.0), 5
#: Between training sets that differ by more than this factor nothing is interpolated.
WIDEST = 2.5


def falls_with_domain_radius(ds: xr.Dataset) -> xr.Dataset:
    """Test H3 for every dislocation, simulated radius, degree and weighting.

    A larger domain has more atoms, so that the error at a common number of labelled atoms is interpolated, in
    logarithms, between the two numbers of configurations on either side; the common number is each dislocation's
    own. The statistic is the rate a of C·R^-a, whose saturated end, where s dominates, is left out.
    """
    claim = "geometry errors fall with the training domain's radius, at a fixed number of force rows"
    statistic = "rate a of C·R^-a in the training domain's radius"
    radii = ds["domain_radius"].values
    inside = np.flatnonzero((radii >= RADII[0]) & (radii <= RADII[1]))
    if len(inside) < LEAST_RADII:
        why = f"{radii_words(len(inside))} between {RADII[0]:g} and {RADII[1]:g} Å; at least {LEAST_RADII} are needed"
        return untestable(claim, statistic, why)
    ds = ds.isel(domain_radius=inside).sortby(["domain_radius", "n_train"])
    # the clusters of one dislocation have several times the atoms of another's
    each = [_rates_of_one(ds.isel(dislocation=[at])) for at in range(ds.sizes["dislocation"])]
    told = [one for one in each if isinstance(one, xr.Dataset)]
    if not told:
        return untestable(claim, statistic, "; ".join(dict.fromkeys(map(str, each))))
    names = ds["dislocation"].values
    found = xr.concat(
        [
            one if isinstance(one, xr.Dataset) else _nothing_like(told[0], names[at], one)
            for at, one in enumerate(each)
        ],
        "dislocation",
    )
    return finding(claim, statistic, found, above(found), found["reason"].values)


def _rates_of_one(ds: xr.Dataset) -> xr.Dataset | str:
    """Fit one dislocation's rates at the number of labelled atoms that most of its radii reach, or say why not."""
    atoms = _labelled_atoms(ds)
    if not np.isfinite(atoms).any():
        return "no point's number of labelled atoms is known"
    common = _commonest(atoms)
    lower, share = _brackets(atoms, common)
    known = np.flatnonzero(lower >= 0)
    if len(known) < LEAST_RADII:
        return f"{radii_words(len(known))} whose n_train reach beyond {common:.0f} labelled atoms; extend n_train"
    error = _at_common_number(measured(ds, "geometry_error"), known, lower[known], share[known])
    rate = fit_rate(error, "domain_radius", confidence=CONFIDENCE)
    words = [f"{reason}; {common:.0f} labelled atoms" for reason in rate["reason"].values.ravel()]
    rate["reason"] = (rate["reason"].dims, np.array(words, dtype=str).reshape(rate["reason"].shape))
    found: xr.Dataset = rate.rename(rate="value", rate_low="low", rate_high="high")
    return found[["value", "low", "high", "reason"]]


def _nothing_like(found: xr.Dataset, dislocation: str, why: str) -> xr.Dataset:
    """Give the rates of a dislocation that has none, in the shape of another's."""
    numbers = found[["value", "low", "high"]]
    nothing: xr.Dataset = numbers.where(xr.zeros_like(numbers["value"], dtype=bool))
    nothing["reason"] = (found["reason"].dims, np.full(found["reason"].shape, why))
    return nothing.assign_coords(dislocation=[dislocation])


def _labelled_atoms(ds: xr.Dataset) -> np.ndarray:
    """Give one dislocation's labelled atoms over (domain_radius, n_train), increasing along the second."""
    others = [name for name in ds["labelled_atoms"].dims if name not in ("domain_radius", "n_train")]
    atoms = ds["labelled_atoms"].max(others).transpose("domain_radius", "n_train").values
    return np.where(atoms > 0, atoms, np.nan)


def _commonest(atoms: np.ndarray) -> float:
    """Find a number of labelled atoms that most radii have on either side: of several such, the largest."""
    candidates = np.unique(atoms[np.isfinite(atoms)])
    counts = [int((_brackets(atoms, common)[0] >= 0).sum()) for common in candidates]
    return float(candidates[np.flatnonzero(np.array(counts) == max(counts))[-1]]) if counts else np.nan


def _brackets(atoms: np.ndarray, common: float) -> tuple[np.ndarray, np.ndarray]:
    """Find for each radius the training sets just below and just above a number of labelled atoms.

    Returns
    -------
    lower : (radii,) ndarray of int
        Position along ``n_train`` of the one below, the next being the one above; -1 where there is none.
    share : (radii,) ndarray
        How far between them the number lies, from 0 to 1 in logarithms.
    """
    below, above_it = atoms[:, :-1], atoms[:, 1:]
    inside = (below <= common) & (common <= above_it) & (above_it <= WIDEST * below)
    if not inside.shape[1]:
        return np.full(len(atoms), -1), np.zeros(len(atoms))
    lower = np.where(inside.any(axis=1), inside.argmax(axis=1), -1)
    rows = np.arange(len(atoms))
    low, high = np.log(atoms[rows, lower]), np.log(atoms[rows, np.minimum(lower + 1, atoms.shape[1] - 1)])
    share = np.where(
        (lower >= 0) & (high > low), (np.log(common) - low) / np.where(high > low, high - low, 1.0), 0.0
    )
    return lower, share


def _at_common_number(
    error: xr.DataArray, radii: np.ndarray, lower: np.ndarray, share: np.ndarray
) -> xr.DataArray:
    """Interpolate logarithms of errors along ``n_train``, at some radii."""
    place, left, weight = (xr.DataArray(values, dims="domain_radius") for values in (radii, lower, share))
    ends = (
        xr.apply_ufunc(np.log, error.isel(domain_radius=place, n_train=position)).reset_coords(
            "n_train", drop=True
        )
        for position in (left, left + 1)
    )
    first, last = ends
    common: xr.DataArray = xr.apply_ufunc(np.exp, (1 - weight) * first + weight * last)
    return common.assign_attrs(error.attrs)
