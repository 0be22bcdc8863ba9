"""Text that a user wrote: read from a file in UTF-8, or refused in one line."""

from __future__ import annotations

from pathlib import Path


class TextFileError(ValueError):
    """A file that is not there, cannot be read, or is not UTF-8."""


def text_of(path: Path, where: str, *, missing: str, folder: str = "this is a directory") -> str:
    """Read a file; a byte order mark at its beginning is left out.

    Parameters
    ----------
    path
        The file.
    where
        What messages call it.
    missing, folder
        What to say, and what to do next, where there is no such file or it is a folder.

    Raises
    ------
    TextFileError
        If it cannot be read.

    Examples
    --------
    >>> text_of(Path("nowhere/study.yaml"), "study.yaml", missing="give the path of a study file")
    Traceback (most recent call last):
    ...
    sweep.study.text_file.TextFileError: study.yaml: there is no such file; give the path of a study file
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise TextFileError(f"{where}: there is no such file; {missing}") from None
    except IsADirectoryError:
        raise TextFileError(f"{where}: {folder}") from None
    except OSError as error:
        raise TextFileError(f"{where}: the file cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise TextFileError(f"{where}: byte {error.start} is not UTF-8; save the file as UTF-8") from None
