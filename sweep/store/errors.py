"""Errors of a store: each says what was wrong with which store, and what to do."""

from __future__ import annotations


class StoreError(ValueError):
    """A path that holds no store this version can use."""


class StoreMissingError(StoreError, FileNotFoundError):
    """No store where one was looked for."""


class StoreUnreachableError(StoreError, OSError):
    """A store at a URL that did not answer, or refused."""


class StoreExistsError(StoreError, FileExistsError):
    """Something is already where a store was to be made."""


class UnstorableRecordError(StoreError):
    """A record that does not fit the store; nothing was written."""
