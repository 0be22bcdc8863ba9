"""A store that another user may only read: read, verified and merged as any other, and never written to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sweep.store import write_records
from tests.sweep.small_store import block_record, new_store, point_record

NOBODY = 65534
# Everything is imported before the other user comes, who may not enter the folders that Python lies in.
READER = """
import json, os, sys
from pathlib import Path
from sweep.grid import Block
from sweep.merging import merged
from sweep.records import Record
from sweep.store import open_store, write_records
from sweep.verify import verify_store
uid, store, other, own = int(sys.argv[1]), *map(Path, sys.argv[2:])
merged([store, other], own / "before.zarr")
list(verify_store(own / "before.zarr"))
open_store(store).load()
os.chown(own, uid, uid)
os.setgid(uid)
os.setuid(uid)
told = {"relaxed": int((open_store(store)["status"] == 2).sum())}
told["faults"] = [each.line for each in verify_store(store) if each.weight.value == "fault"]
merged([store, other], own / "after.zarr")
told["merged"] = int((open_store(own / "after.zarr")["status"] == 2).sum())
try:
    write_records(store, [Record(Block("screw", 25.0, 6, 6.0, 4, 0), 0, "relaxed", {"geometry_error": 0.1})])
except OSError as error:
    told["refused"] = type(error).__name__
print(json.dumps(told))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_a_store_of_another_user_is_read_and_merged_and_not_written(tmp_path: Path) -> None:
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(0o755)
    store, other = new_store(tmp_path / "a.zarr"), new_store(tmp_path / "b.zarr")
    write_records(store, [block_record(), point_record(3)])
    write_records(other, [point_record(4)])
    (tmp_path / "own").mkdir()
    before = {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}
    ran = subprocess.run(
        [sys.executable, "-c", READER, str(NOBODY), *map(str, (store, other, tmp_path / "own"))],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout.splitlines()[-1])
    assert told == {"relaxed": 1, "faults": [], "merged": 2, "refused": "PermissionError"}
    assert {path: path.read_bytes() for path in store.rglob("*") if path.is_file()} == before
