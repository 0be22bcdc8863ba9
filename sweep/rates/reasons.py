"""What a fitted rate rests on, and what was left out and why, in words."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from sweep.rates.laws import Fit


def reasons(
    fit: Fit, left_out: Mapping[str, NDArray[np.int64]], *, along: str, resampling: bool
) -> NDArray[np.str_]:
    """Say of each curve what its rate rests on, or why it has none.

    Parameters
    ----------
    fit
        The fitted laws.
    left_out
        By cause, how many points of each curve took no part.
    along
        Name of the abscissa.
    resampling
        Whether intervals by resampling were asked for.

    Returns
    -------
    (lanes,) ndarray of str
    """
    known = {
        "points": fit.points,
        "values": fit.values,
        "replicas": fit.replicas,
        "begun": fit.begun,
        "ended": fit.ended,
        "levelled": fit.levelled,
        "bent": fit.bent,
        "below_length": fit.below_length,
        "constant": fit.constant,
        "open_law": fit.open_law,
        "compared_apart": np.isfinite(fit.compared_low) & (fit.compared_low != fit.rate_low),
        "has_rate": np.isfinite(fit.rate),
        "has_interval": np.isfinite(fit.rate_low),
        "resampled": fit.resampled,
        **{f"cause {cause}": counts for cause, counts in left_out.items()},
    }
    rows = np.stack([np.asarray(values, dtype=np.int64) for values in known.values()], axis=-1)
    # few kinds of curve are told apart, however many curves there are
    kinds, kind_of = np.unique(rows, axis=0, return_inverse=True)
    texts = [_words(dict(zip(known, map(int, kind), strict=True)), along, resampling) for kind in kinds]
    return np.array(texts, dtype=str)[kind_of.ravel()] if texts else np.array([], dtype=str)


def _words(kind: Mapping[str, int], along: str, resampling: bool) -> str:
    clauses = [_basis(kind, along)]
    if resampling and kind["has_interval"] and not kind["resampled"]:
        clauses.append("too few to resample: Student's interval")
    if kind["constant"]:
        clauses.append("every value is the same")
    if kind["open_law"]:
        clauses.append("with and without the logarithm the data fit alike: the interval covers both")
    if kind["compared_apart"]:
        clauses.append("compared with the bound by the law with the logarithm")
    if kind["begun"]:
        clauses.append(f"left out at the pre-asymptotic end: {_counted(kind['begun'])} of {along}")
    if kind["ended"]:
        how = "saturated end" if kind["levelled"] else "far end, where the rate changes"
        clauses.append(f"left out at the {how}: {_counted(kind['ended'])} of {along}")
    if kind["bent"]:
        clauses.append("not a power law: the interval covers the local rates at both ends")
    if kind["below_length"]:
        clauses.append(f"left out below the logarithm's length: {kind['below_length']} points")
    causes = [
        f"{kind[name]} {name.removeprefix('cause ')}"
        for name in kind
        if name.startswith("cause ") and kind[name]
    ]
    if causes:
        clauses.append(f"points left out: {', '.join(causes)}")
    return "; ".join(clauses)


def _basis(kind: Mapping[str, int], along: str) -> str:
    """Say what a rate and its interval rest on, or what they lack."""
    values = f"{_counted(kind['values'])} of {along}"
    if not kind["points"]:
        return "no rate: no point to fit"
    if not kind["has_rate"]:
        return f"no rate: {f'no replica has two values of {along}' if kind['values'] > 1 else values}"
    if not kind["has_interval"]:
        return f"no interval: {values}, without replicas"
    if kind["replicas"] > 1:
        return f"{kind['replicas']} replicas, {values}"
    return f"{values}, without replicas: the points are taken for independent"


def _counted(number: int) -> str:
    return f"{number} value{'s' if number != 1 else ''}"
