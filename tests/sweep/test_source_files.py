"""A file replaced under a running study gives no number, before its kernel reads it or while that does."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from sweep.source_files import SourceChangedError, SourceFiles


@pytest.fixture
def potential(tmp_path: Path) -> Path:
    path = tmp_path / "W.eam.fs"
    path.write_text("as it was")
    return path


def watched(path: Path) -> tuple[SourceFiles, dict[str, object]]:
    placeholder = f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    return SourceFiles({placeholder: path}), {"reference": {"pair_coeff": [f"* * {placeholder} W"]}}


def test_a_file_that_was_replaced_is_refused_before_the_call(potential: Path) -> None:
    files, inputs = watched(potential)
    with files.unchanged(inputs):
        pass
    other = potential.with_name("other")
    other.write_text("different")
    # of the same size, and the time put back: the inode tells
    os.utime(other, ns=(potential.stat().st_atime_ns, potential.stat().st_mtime_ns))
    other.rename(potential)
    with pytest.raises(SourceChangedError, match=r"W\.eam\.fs was changed"), files.unchanged(inputs):
        pytest.fail("called")


def test_a_file_that_is_replaced_during_the_call_spoils_its_answer(potential: Path) -> None:
    files, inputs = watched(potential)
    with pytest.raises(SourceChangedError, match="was changed"), files.unchanged(inputs):
        potential.write_text("other")


def test_one_that_was_put_back_serves_again(potential: Path) -> None:
    files, inputs = watched(potential)
    potential.unlink()
    with pytest.raises(SourceChangedError, match="cannot be read any more"), files.unchanged(inputs):
        pass
    potential.write_text("as it was")
    with files.unchanged(inputs):
        pass


def test_calls_that_name_no_file_read_none(potential: Path) -> None:
    files, _ = watched(potential)
    potential.unlink()
    with files.unchanged({"degree": 6}):
        pass
