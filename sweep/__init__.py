"""Farfield's sweep engine: studies, plans, workers, the store, and what an analyst asks of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sweep.registration import register_accessor

if TYPE_CHECKING:
    from sweep.advice import advise
    from sweep.rates import fit_rate
    from sweep.store import open_failures, open_store

__all__ = ["advise", "fit_rate", "open_failures", "open_store"]

register_accessor()


def __getattr__(name: str) -> Any:
    """Load xarray only for those who open a store: workers and plans start without it."""
    if name in ("open_store", "open_failures"):
        from sweep import store

        return getattr(store, name)
    if name == "fit_rate":
        from sweep.rates import fit_rate

        return fit_rate
    if name == "advise":
        from sweep.advice import advise

        return advise
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
