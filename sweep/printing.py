"""How a command prints what it found: for a person, for a pipe, or as JSON."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from typing import TypeVar

from rich.console import Console, RenderableType

Found = TypeVar("Found")


def print_found(
    found: Found,
    *,
    as_json: bool,
    json_of: Callable[[Found], str],
    tables_of: Callable[[Found], RenderableType],
    lines_of: Callable[[Found], Iterable[str]],
) -> None:
    """Print a result to standard output: tables on a terminal, lines where it is piped, JSON where asked for.

    Parameters
    ----------
    found
        The result.
    as_json
        Whether JSON is asked for.
    json_of, tables_of, lines_of
        Give each form of it; only the one that is printed is made.
    """
    console = Console(highlight=False)
    try:
        if as_json:
            sys.stdout.write(json_of(found) + "\n")
        elif console.is_terminal:
            console.print(tables_of(found))
        else:
            sys.stdout.writelines(f"{line}\n" for line in lines_of(found))
        sys.stdout.flush()
    except BrokenPipeError:
        # whoever reads has seen enough, as `head` does; nothing may be flushed at exit either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
