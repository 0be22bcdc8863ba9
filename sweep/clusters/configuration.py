"""How Dask is set up for a run, wherever its workers are."""

from __future__ import annotations

from typing import Any

# Dask would rerun a lost worker's task by itself up to three times; the driver counts its own retries instead.
CONFIGURATION: dict[str, Any] = {
    "distributed.scheduler.allowed-failures": 0,
    # results are a few numbers: what fills a worker's memory is its gang, which Dask does not see
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
    # numbers over plain HTTP would be open to every user of the host; of the scheduler `Dashboard` says what is
    "distributed.worker.http.routes": [],
    # what Dask looks at of its own processes, a hundred times a second, takes the kernels' processors
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "500ms",
    "distributed.admin.system-monitor.interval": "5s",
    "distributed.admin.system-monitor.gil.enabled": False,
    "distributed.admin.large-graph-warning-threshold": "100 MB",
}
