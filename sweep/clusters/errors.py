"""What can be wrong with the place where a run's workers are."""

from __future__ import annotations


class ClusterError(ValueError):
    """Workers that cannot be had: the message says what was asked for, why not, and what to do."""


class WorkersLostError(RuntimeError):
    """No worker is left, and none has come back; what is journaled is safe."""
