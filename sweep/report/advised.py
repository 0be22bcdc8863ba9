"""What `sweep.advice` says of a store, as the page quotes it."""

from __future__ import annotations

from dataclasses import dataclass

import xarray as xr

from sweep.advice import AdviceError, advise
from sweep.advice.conclusions import asked, conclusions
from sweep.figures.gallery import main_error
from sweep.figures.slices import known

# Any will do: what does not depend on the tolerance is all that is quoted then.
_NO_TOLERANCE = 1.0


@dataclass(frozen=True)
class QuotedAdvice:
    """Advice in sentences.

    Parameters
    ----------
    question
        What was asked; empty where no tolerance was given.
    sentences
        What is advised.
    """

    question: str
    sentences: tuple[str, ...]


def advised(ds: xr.Dataset, tolerance: float | None = None) -> QuotedAdvice | None:
    """Ask for advice: with a tolerance also for the cheapest point that meets it.

    Parameters
    ----------
    ds
        A store.
    tolerance
        The largest error that will do, in the main error's unit.

    Returns
    -------
    QuotedAdvice
        None where the store has nothing to advise from.

    Raises
    ------
    sweep.advice.AdviceError
        If the tolerance is no number above 0.
    """
    error = main_error(ds)
    if not bool(known(ds, error).any()):
        return None
    try:
        advice = advise(ds, _NO_TOLERANCE if tolerance is None else tolerance, error)
    except AdviceError:
        if tolerance is not None:
            raise
        return None
    sentences = conclusions(advice)
    if tolerance is None:
        return QuotedAdvice("", tuple(sentences[len(advice.cheapest) :]))
    return QuotedAdvice(f"Asked for: {asked(advice)}.", tuple(sentences))
