"""Files that a study draws on, potentials and training data, while it runs: a replaced one gives no number."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sweep.gang import GangError


class SourceChangedError(GangError, ValueError):
    """A file no longer holds what it held when the study was read."""


class SourceFiles:
    """Sees that files hold what was hashed. One is read again only when its size, times or inode are others.

    They stay where they are, for some potentials look for further files beside their own.

    Parameters
    ----------
    paths
        Each file by what stands for its contents in a recipe's inputs, ``sha256:…``.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     nothing = "sha256:" + hashlib.sha256(b"").hexdigest()
    ...     files = SourceFiles({nothing: Path(file.name)})
    ...     with files.unchanged({"reference": {"pair_coeff": [nothing]}}):
    ...         print("as it was")
    as it was
    """

    def __init__(self, paths: Mapping[str, Path]) -> None:
        self._paths = paths
        self._seen: dict[str, tuple[int, ...]] = {}

    @contextmanager
    def unchanged(self, inputs: Mapping[str, Any]) -> Iterator[None]:
        """Check the files that inputs name, before and after a call reads them.

        Raises
        ------
        SourceChangedError
            If one does not hold what was hashed: what the call gave is not to be used.
        """
        words = set(_words(inputs)) if self._paths else set()
        named = [placeholder for placeholder in self._paths if placeholder in words]
        self._check(named)
        yield
        self._check(named)

    def _check(self, placeholders: list[str]) -> None:
        for placeholder in placeholders:
            path = self._paths[placeholder]
            try:
                status = path.stat()
                now = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
                if self._seen.get(placeholder) == now:
                    continue
                with path.open("rb") as contents:
                    found = hashlib.file_digest(contents, "sha256").hexdigest()
            except OSError as error:
                raise SourceChangedError(
                    f"{path} cannot be read any more ({error.strerror}); {_MEND}"
                ) from error
            if placeholder != f"sha256:{found}":
                raise SourceChangedError(f"{path} was changed while the study runs; {_MEND}")
            self._seen[placeholder] = now


def _words(value: Any) -> Iterator[str]:
    """Go through the words of plain data; recipes among it are artefacts by now, which have read what they name."""
    if isinstance(value, str):
        yield from value.split(" ")
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _words(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _words(part)


_MEND = "put it back as it was, and run again (with --retry-failed where points have failed)"
