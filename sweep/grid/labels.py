"""Labels of axes, named in text."""

from __future__ import annotations

from typing import Any


def is_meant(label: Any, text: str) -> bool:
    """Say whether a text means a label: words as they are, numbers by their value, however they are written.

    Examples
    --------
    >>> [is_meant(10.0, "1e1"), is_meant("edge", "edge"), is_meant(10, "ten"), is_meant("10", "1e1")]
    [True, True, False, False]
    """
    if isinstance(label, str):
        return label == text
    try:
        return float(text) == float(label)
    except ValueError:
        return False
