"""Advice on what to label, how to weight it, and what to fit, from a store alone."""

from sweep.advice.advice import Advice, advise
from sweep.advice.errors import AdviceError

__all__ = ["Advice", "AdviceError", "advise"]
