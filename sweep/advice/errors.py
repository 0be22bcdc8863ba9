"""What advice refuses."""

from __future__ import annotations


class AdviceError(ValueError):
    """Advice asked for in a way that has no answer: an unknown error, a tolerance that is no length, ..."""
