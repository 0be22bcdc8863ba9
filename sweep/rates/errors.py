"""What a fit of a rate refuses."""

from __future__ import annotations


class RateError(ValueError):
    """A rate that was asked for in a way that has no answer: an unknown axis, labels that are no numbers, ..."""
