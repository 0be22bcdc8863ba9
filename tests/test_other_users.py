"""Another user of the same host gets at nothing: not the scheduler, nor a worker, nor keys, nor a gang."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sweep.clusters import ClusterChoice, Site, write_certificates
from sweep.gang.connections import Keys, Listener
from sweep.gang.launch import OWNER_FILE
from sweep.gang.private_folder import PrivateFolder

NOBODY = 65534
CREDENTIALS = ("tls_ca_file", "tls_client_cert", "tls_client_key")
INTRUDER = """
import asyncio, json, os, sys
from multiprocessing.connection import Client as Socket
from pathlib import Path
from distributed import Client
from distributed.core import connect
from distributed.security import Security

uid, control, scheduler, worker, port, *files = sys.argv[1:]
mine = Security.temporary()

def submit(address, security):
    with Client(address, security=security, timeout=4, set_as_default=False) as client:
        client.submit(os.getuid).result(timeout=4)

async def greet(address):
    comm = await connect(address, timeout=4, **mine.get_connection_args("client"))
    await comm.write({"op": "identity", "reply": True})
    await comm.read()

# Once with the owner's keys and as the owner: the attempts below fail for want of these, and for nothing else.
owners = json.loads(Path(control).read_text())
submit(scheduler, Security(require_encryption=True, **owners))
os.setgroups([])
os.setgid(int(uid))
os.setuid(int(uid))

attempts = {
    "scheduler with a certificate of one's own": lambda: submit(scheduler, mine),
    "scheduler unencrypted": lambda: submit(scheduler.replace("tls:", "tcp:"), None),
    "worker": lambda: asyncio.run(greet(worker)),
    "gang on the network": lambda: Socket(("127.0.0.1", int(port)), authkey=b"a guess"),
    **{name: lambda name=name: Path(name).read_bytes() for name in files if not name.endswith("socket")},
    **{name: lambda name=name: Socket(name) for name in files if name.endswith("socket")},
}
outcomes = {"uid": os.getuid()}
for name, attempt in attempts.items():
    try:
        attempt()
    except BaseException as error:
        outcomes[name] = type(error).__name__
    else:
        outcomes[name] = "in"
print(json.dumps(outcomes))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_another_user_gets_at_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    # everyone may enter the folders above: what keeps a stranger out is the modes of our own
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(0o755)
    write_certificates(tmp_path / "certificates")
    gang, keys = PrivateFolder(), Keys.new()
    (gang.path / OWNER_FILE).write_text("keys")
    inside = Listener(str(gang.path / "socket"), keys, backlog=2)
    outside = Listener(("127.0.0.1", 0), keys, backlog=2)
    let_in: list[object] = []
    door = threading.Thread(target=lambda: let_in.append(outside.accept()))
    door.start()
    control = tmp_path / "control"
    files = [*(tmp_path / "certificates").iterdir(), gang.path / OWNER_FILE, gang.path / "socket"]
    assert len(files) == 4
    site = Site(run=tmp_path, scratch=tmp_path, logs=tmp_path, tell=print)
    with ClusterChoice(workers=1).cluster().connected(site) as workers:
        scheduler = workers.client.scheduler.address
        (worker,) = workers.client.scheduler_info()["workers"]
        control.touch(mode=0o600)
        control.write_text(json.dumps({name: getattr(workers.client.security, name) for name in CREDENTIALS}))
        places = [str(control), scheduler, worker, str(outside.address[1]), *map(str, files)]
        ran = subprocess.run(
            [sys.executable, "-c", INTRUDER, str(NOBODY), *places],
            capture_output=True,
            text=True,
            timeout=200,
            cwd="/",
        )
    door.join()
    inside.close()
    outside.close()
    gang.remove()
    outcomes = json.loads(ran.stdout.splitlines()[-1]) if ran.stdout else pytest.fail(ran.stderr)
    assert outcomes.pop("uid") == NOBODY
    assert {outcomes.pop(str(file)) for file in files} == {"PermissionError"}
    assert outcomes.pop("gang on the network") in {"AuthenticationError", "ConnectionResetError", "EOFError"}
    assert let_in == [None]
    assert set(outcomes) == {
        "scheduler with a certificate of one's own",
        "scheduler unencrypted",
        "worker",
    }
    assert set(outcomes.values()) <= {"OSError", "TimeoutError", "CommClosedError", "FatalCommClosedError"}
