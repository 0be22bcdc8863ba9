"""What keeps stores from being merged."""

from __future__ import annotations


class MergeRefusedError(ValueError):
    """Stores that cannot be made one, or a place where the new one cannot be; nothing has been written there."""
