"""Where a power law begins and ends: the pre-asymptotic and the saturated end of a curve, found and left out."""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from sweep.rates.regression import Bools, Floats, coefficient

#: A curve keeps at least this many values.
LEAST_VALUES = 3
#: A curve is taken for bent where a straight one would look so with this chance ...
SURELY_BENT = 0.01
#: ... and then cut until it would with this one: that there is an end to cut is known by then.
STILL_BENT = 0.3
# Bends of less than this in the logarithm are rounding.
_ROUNDING = 1e-9
# A part whose rate is below this fraction of its neighbour's has levelled off: a floor, or a plateau.
_FLAT = 0.5
# A curve whose last third is slower than its first by more than this falls onto a floor: then its beginning is as good
# as this many values more. If not, its end is as good as half a value: of two parts as long it is the asymptotic one.
_LEVELLING, _EARLIER, _LATER = 0.4, 2.0, 0.5
# Steps in which a long curve is cut, as a part of it.
_STEP = 0.1


@dataclass(frozen=True)
class Window:
    """The part of each curve that is a straight line, and what was left out.

    Parameters
    ----------
    used : (lanes, replicas, points) ndarray of bool
        Points within it.
    begun, ended : (lanes,) ndarray of int
        How many values were left out at the beginning and at the end.
    levelled : (lanes,) ndarray of bool
        Whether the part left out at the end had levelled off: saturated; otherwise it bends away.
    bent : (lanes,) ndarray of bool
        Whether what remains is no straight line either.
    """

    used: Bools
    begun: NDArray[np.int64]
    ended: NDArray[np.int64]
    levelled: Bools
    bent: Bools


def whole(usable: Bools, bent: Bools) -> Window:
    """Give the window that leaves nothing out."""
    nothing = np.zeros(len(usable), dtype=np.int64)
    return Window(usable.copy(), nothing, nothing.copy(), nothing > 0, bent.copy())


def straight_part(x: Floats, y: Floats, usable: Bools) -> Window:
    """Find the part of each curve that is a straight line but for its noise.

    A quadratic and a cubic term are tested for (`straightness`), so that a straight line is cut short once in a
    hundred times (`SURELY_BENT`), whatever its length. Of a bent curve the longest part is kept that is straight
    (`STILL_BENT`) and has not levelled off; of two as long the asymptotic one, or where the curve falls onto a floor
    the first. Where no part is straight, the last values are kept.

    With replicas, ends that begin sharply are found. Without them only ends well above the noise are: it is then
    judged by the points' own scatter, which an end adds to. A floor that is approached gradually leaves no part as
    steep as the law below it, and no test can tell.

    Parameters
    ----------
    x, y : (lanes, replicas, points) ndarray
        Logarithms, in the order in which the law becomes asymptotic: its last point is the one that a floor
        would hide, its first the one that is not yet asymptotic.
    usable : (lanes, replicas, points) ndarray of bool
        Points that may take part.
    """
    bent = straightness(x, y, usable) < SURELY_BENT
    window = whole(usable, bent)
    cut = np.flatnonzero(bent & (_present(usable).sum(axis=-1) > LEAST_VALUES))
    if len(cut):
        best = _longest_straight_part(x[cut], y[cut], usable[cut])
        for field in fields(Window):
            getattr(window, field.name)[cut] = getattr(best, field.name)
    return window


def _longest_straight_part(x: Floats, y: Floats, usable: Bools) -> Window:
    """Try every pair of cuts."""
    present = _present(usable)
    values = present.sum(axis=-1)
    forward, backward = (rank[:, None, :] for rank in _ranks(present))
    # of the arrays' length, whatever of it this or other curves use: a curve is cut alike in any company
    most = usable.shape[-1]
    cuts = range(0, most - LEAST_VALUES + 1, max(1, int(_STEP * most)))
    before = {cut: _speed(x, y, usable & (forward <= cut)) for cut in cuts}
    after = {cut: _speed(x, y, usable & (backward <= cut)) for cut in cuts}
    some = np.maximum(1, values // 3 - 1)[:, None, None]
    first, last = _speed(x, y, usable & (forward <= some)), _speed(x, y, usable & (backward <= some))
    levelling = last < _LEVELLING * first
    best = whole(usable, np.ones(len(x), dtype=bool))
    most_worth = np.full(len(x), -np.inf)
    for ended, begun in product(cuts, cuts):
        used = usable & (forward >= begun) & (backward >= ended)
        left, rate, chance = values - begun - ended, _speed(x, y, used), straightness(x, y, used)
        levelled = ((begun > 0) & (rate < _FLAT * before[begun])) | (
            (ended > 0) & (rate < _FLAT * after[ended])
        )
        favour = np.where(levelling, _EARLIER * (begun == 0), _LATER * (ended == 0))
        # where nothing is straight, the last values
        worth = np.where(chance >= STILL_BENT, left + favour, -left - 2.0 * ended)
        worth = np.where((left >= LEAST_VALUES) & ~levelled, worth, -np.inf)
        better = np.flatnonzero(worth > most_worth)
        most_worth[better] = worth[better]
        best.used[better] = used[better]
        best.begun[better], best.ended[better] = begun, ended
        best.levelled[better] = (ended > 0) & (levelling | (after[ended] < _FLAT * rate))[better]
        best.bent[better] = chance[better] < SURELY_BENT
    return best


def cut_further(window: Window) -> tuple[Bools, Bools]:
    """Give the points left when one value more is cut off the beginning, or the end: those that were cut already.

    Curves that were not cut there, or keep two values only, stay as they are.
    """
    present = _present(window.used)
    long = present.sum(axis=-1) > 2
    first, last = (
        window.used & ((rank > 0) | ~(long & (cut > 0))[:, None])[:, None, :]
        for rank, cut in zip(_ranks(present), (window.begun, window.ended), strict=True)
    )
    return first, last


def straightness(x: Floats, y: Floats, used: Bools) -> Floats:
    """Give the chance that straight lines look at least as bent as these curves do.

    Parameters
    ----------
    x, y : (lanes, replicas, points) ndarray
        Logarithms.
    used : (lanes, replicas, points) ndarray of bool
        Points to take part.

    Returns
    -------
    (lanes,) ndarray
        Twice the smaller p-value of a quadratic and a cubic term; 1 where there are too few points to tell.
    """
    unit = _unit_size(x, used)
    chance = np.ones(len(x))
    for regressors in ([unit**2, unit], [unit**3, unit, unit**2]):
        term = coefficient(regressors, y, used)
        size = np.sqrt((term.regressor**2).sum(axis=(-1, -2)) / np.maximum(used.sum(axis=(-1, -2)), 1))
        seen = np.isfinite(term.standard_error) & (abs(term.value) * size > _ROUNDING)
        error = np.where(seen & (term.standard_error > 0), term.standard_error, np.finfo(float).tiny)
        with np.errstate(over="ignore"):
            distance = abs(np.where(seen, term.value, 0.0)) / error
        p_value = 2 * stdtr(np.where(seen, term.freedom, 1.0), -distance)
        chance = np.where(seen, np.minimum(chance, 2 * p_value), chance)
    return chance


def local_rates(x: Floats, y: Floats, used: Bools) -> tuple[Floats, Floats]:
    """Give each curve's slope over its first two values and over its last two, NaN where it has none."""
    first, last = (
        coefficient([x], y, used & (rank < 2)[:, None, :]).value for rank in _ranks(_present(used))
    )
    return first, last


def _speed(x: Floats, y: Floats, used: Bools) -> Floats:
    """Give the size of each curve's slope, NaN where it has none."""
    return np.asarray(abs(coefficient([x], y, used).value), dtype=float)


def _present(used: Bools) -> Bools:
    """Say which values some replica has."""
    return np.asarray(used.any(axis=1), dtype=bool)


def _ranks(present: Bools) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count the values from the beginning, and from the end; one that is absent as the one before it."""
    forward: NDArray[np.int64] = np.cumsum(present, axis=-1, dtype=np.int64) - 1
    backward: NDArray[np.int64] = np.cumsum(present[:, ::-1], axis=-1, dtype=np.int64)[:, ::-1] - 1
    return forward, backward


def _unit_size(x: Floats, used: Bools) -> Floats:
    """Shift and scale each curve's abscissa to [-1, 1]: its cube is then a number of the same size."""
    least = np.where(used, x, np.inf).min(axis=(-1, -2), keepdims=True, initial=np.inf)
    most = np.where(used, x, -np.inf).max(axis=(-1, -2), keepdims=True, initial=-np.inf)
    some = most > least
    centre = np.where(some, (np.where(some, most, 0) + np.where(some, least, 0)) / 2, 0)
    half = np.where(some, (np.where(some, most, 2) - np.where(some, least, 0)) / 2, 1)
    return np.asarray(np.where(used, (x - centre) / half, 0.0), dtype=float)
