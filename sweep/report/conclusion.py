"""One thing that a store says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Conclusion:
    """One thing that a store says.

    Parameters
    ----------
    subject
        What it is about, in a few words.
    text
        What is found, with numbers.
    basis
        What it rests on; empty where that is plain.
    """

    subject: str
    text: str
    basis: str = ""
