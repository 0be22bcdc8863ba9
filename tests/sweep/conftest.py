"""Where stores may be: each a place that the contract of stores is held to."""

import logging
import uuid
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
from moto.server import ThreadedMotoServer

from sweep.location import Location, location_of


@pytest.fixture(scope="session")
def s3_service() -> Iterator[str]:
    """An S3 service of its own on this machine, and its address."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_service: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """URL of a bucket; the service is found as any user's is, by the environment."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_service)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    fsspec.filesystem("s3").mkdirs("farfield-tests", exist_ok=True)
    return "s3://farfield-tests"


@pytest.fixture(params=["folder", "memory", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Location:
    """A place for a store, on each backend in turn: another one is another branch here."""
    monkeypatch.chdir(tmp_path)
    name = f"{uuid.uuid4().hex[:8]}/small.zarr"
    if request.param == "folder":
        return location_of(tmp_path / name)
    if request.param == "memory":
        return location_of(f"memory://{name}")
    return location_of(f"{request.getfixturevalue('s3')}/{name}")
