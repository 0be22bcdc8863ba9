from __future__ import annotations

import time

import pytest
from distributed import Client, LocalCluster

from sweep.clusters import WorkersLostError
from sweep.clusters.presence import Presence


def test_a_scheduler_that_is_gone_for_good_is_told_in_words() -> None:
    cluster = LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0"
    )
    with Client(cluster.scheduler_address, timeout=1, set_as_default=False) as client:
        presence = Presence(client)
        assert presence() == 1
        cluster.close()
        deadline = time.monotonic() + 60.0
        while client.status != "closed":
            assert time.monotonic() < deadline
            time.sleep(0.05)
        with pytest.raises(WorkersLostError, match="the scheduler is gone"):
            presence()
