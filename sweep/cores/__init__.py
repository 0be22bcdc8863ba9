"""Potentials' relaxed cores, computed again and kept in the store, so that figures show them beside the reference's."""

from sweep.cores.keeping import keep_core

__all__ = ["keep_core"]
