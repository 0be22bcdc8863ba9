"""The error of an export that cannot be made as it was asked for."""

from __future__ import annotations


class ExportError(ValueError):
    """A store, a point or a format that cannot be exported; nothing has been written."""
