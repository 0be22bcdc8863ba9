"""What a figure refuses."""

from __future__ import annotations


class FigureError(ValueError):
    """A figure that cannot be drawn: the store lacks what it would show, or a name or label is unknown."""
