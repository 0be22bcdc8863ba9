"""Whether this process, a worker, has been told to leave: its job is cancelled, or its time is nearly over."""

from __future__ import annotations

import threading

LEAVING = threading.Event()
"""Set once; what a worker has begun and cannot finish is then done by another."""

# The queue ends ranks and worker at the same moment, and the worker may hear of its ranks first, s.
PATIENCE_S = 1.0
