from __future__ import annotations

import importlib.util
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest

from sweep.clusters import ClusterChoice, ClusterError, Site


def site(folder: Path, told: list[str]) -> Site:
    return Site(run=folder, logs=folder, scratch=folder, tell=told.append)


def status_of(address: str) -> int:
    try:
        with urllib.request.urlopen(address, timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_nothing_is_served_unless_asked_for_although_bokeh_is_there(tmp_path: Path) -> None:
    assert importlib.util.find_spec("bokeh") is not None
    told: list[str] = []
    with ClusterChoice(workers=1).cluster().connected(site(tmp_path, told)) as workers:
        port = workers.client.scheduler_info()["services"]["dashboard"]
        assert {
            status_of(f"http://127.0.0.1:{port}/{page}") for page in ("status", "workers", "info/logs")
        } == {404}
    assert told == []


def test_a_dashboard_that_is_asked_for_is_on_this_hosts_own_address_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_CONNECTION", "somewhere")
    told: list[str] = []
    chosen = ClusterChoice(workers=1, dashboard=True).cluster()
    chosen.check()
    with chosen.connected(site(tmp_path, told)):
        shown, forwarding = told
        address = next(word for word in shown.split() if word.startswith("http"))
        port = int(address.rpartition(":")[2].split("/")[0])
        assert status_of(address) == 200
        assert {
            each.laddr.ip
            for each in psutil.Process().net_connections("inet")
            if each.status == psutil.CONN_LISTEN and each.laddr.port == port
        } == {"127.0.0.1"}
    assert f"-L {port}:127.0.0.1:{port} " in forwarding


def test_a_dashboard_that_cannot_be_shown_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ClusterError, match="has its own"):
        ClusterChoice("tcp://127.0.0.1:8786", dashboard=True).cluster()
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ClusterError, match="bokeh"):
        ClusterChoice(workers=1, dashboard=True).cluster().check()
