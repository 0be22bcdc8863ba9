"""Artefacts that no study needs any more, found and removed."""

from sweep.cleaning.command import clean
from sweep.cleaning.leftovers import Leftover, leftovers

__all__ = ["Leftover", "clean", "leftovers"]
