"""Numbers, labels and counts as advice writes them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def number(value: float, digits: int = 3) -> str:
    """Write a number, or a dash where there is none."""
    return f"{value:.{digits}g}" if math.isfinite(value) else "-"


def span(low: float, high: float) -> str:
    """Write an interval."""
    return f"{number(low)} to {number(high)}" if math.isfinite(low) else "no interval"


def whole(value: float) -> str:
    """Write a whole number in full, or a dash."""
    return f"{value:.0f}" if math.isfinite(value) else "-"


def unit_words(units: str) -> str:
    """Write a unit of the store's as people do.

    Examples
    --------
    >>> unit_words("eV/angstrom^2"), unit_words("1")
    ('eV/Å²', '')
    """
    return "" if units == "1" else units.replace("angstrom", "Å").replace("^2", "²")


def amount(value: float, units: str) -> str:
    """Write a number with its unit."""
    return f"{number(value)} {unit_words(units)}".rstrip()


def counted(count: int, noun: str) -> str:
    """Write how many there are of something.

    Examples
    --------
    >>> counted(1, "replica"), counted(3, "replica")
    ('1 replica', '3 replicas')
    """
    return f"{count} {noun}{'s' if count != 1 else ''}"


def listed(labels: Mapping[str, Any]) -> str:
    """Write labels by dimension.

    Examples
    --------
    >>> listed({"degree": 8, "weight_virial": 10.0})
    'degree 8, weight_virial 10'
    """
    return ", ".join(f"{name} {label_words(label)}" for name, label in labels.items())


def label_words(label: Any) -> str:
    """Write one label."""
    return f"{label:.6g}" if isinstance(label, float) else f"{label}"
