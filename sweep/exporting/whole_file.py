"""A file that appears under its name only when it is whole and on the disk."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sweep.durable import sync_path
from sweep.exporting.errors import ExportError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a path to write to beside `path`; what was written there takes its name, in place of an earlier file.

    Raises
    ------
    ExportError
        If there is no such folder, or the path is one.
    OSError
        If the disk refuses; nothing is left behind.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with whole_file(Path(folder, "a.csv")) as temporary:
    ...         _ = temporary.write_text("x")
    ...     [file.name for file in Path(folder).iterdir()]
    ['a.csv']
    """
    if not path.parent.is_dir():
        raise ExportError(f"{path} cannot be written: there is no folder {path.parent}")
    if path.is_dir():
        raise ExportError(f"{path} cannot be written: it is a folder")
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        yield temporary
        sync_path(temporary)
        temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_path(path.parent)
