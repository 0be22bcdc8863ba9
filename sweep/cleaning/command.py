"""What `sweep clean` does: say what no study needs, and remove it when told to."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from sweep.artefact_users import (
    ArtefactsInUseError,
    Registration,
    RegistrationError,
    alone_with,
    forget,
)
from sweep.cleaning.leftovers import Leftover, leftovers, sizes
from sweep.cleaning.needs import CleaningRefusedError, Needs, needs_of
from sweep.exporting.errors import ExportError
from sweep.grid import GridError
from sweep.location import LocationError, UnreachableError, location_of
from sweep.store import StoreError
from sweep.study import StudyError

DONE, REFUSED, STOPPED = 0, 2, 3
_REFUSALS = (
    CleaningRefusedError,
    RegistrationError,
    ArtefactsInUseError,
    ExportError,
    StoreError,
    StudyError,
    GridError,
    LocationError,
    UnreachableError,
)


def clean(
    places: Sequence[str] = (),
    artefacts: Path | None = None,
    *,
    results_only: bool = False,
    forgotten: Sequence[str] = (),
    listing: bool = False,
    yes: bool = False,
    output: Console | None = None,
    errors: Console | None = None,
) -> int:
    """Say which artefacts no study needs, or remove them.

    Parameters
    ----------
    places
        Study files, stores and run folders whose artefacts stay, beside those of every store registered in the folder.
    artefacts
        The folder of artefacts; by default the one in the run folder beside the first of `places`.
    results_only
        Of studies that ran to their end keep only what their results are read from.
    forgotten
        Stores that are gone for good: what only they needed may go.
    listing
        Name every file, not only how many of each kind.
    yes
        Remove. Otherwise nothing is changed.
    output, errors
        Where: standard output and standard error.

    Returns
    -------
    int
        Exit status: 0; 2 for what cannot be cleaned, after one message; 3 where the disk refused.
    """
    output = output or Console(soft_wrap=True, highlight=False)
    errors = errors or Console(stderr=True, soft_wrap=True, highlight=False)
    try:
        needs = needs_of(places, artefacts)
        gone = [_stale(needs, store) for store in forgotten]
        with alone_with(needs.folder):
            keys = needs.keys(results_only=results_only, forgotten=gone)
            found = list(leftovers(needs.folder, keys))
            for line in (*_users(needs, gone), *_described(found, listing=listing, removing=yes)):
                output.print(line, markup=False)
            if not yes:
                output.print("nothing has been removed: --yes removes")
                return DONE
            for leftover in found:
                leftover.path.unlink(missing_ok=True)
            for registration in gone:
                forget(needs.folder, registration)
    except _REFUSALS as refusal:
        errors.print(f"sweep: {refusal}", markup=False)
        return REFUSED
    except OSError as error:
        errors.print(f"sweep: stopped: {error}", markup=False)
        return STOPPED
    return DONE


def _stale(needs: Needs, store: str) -> Registration:
    """Find the registration of a store that is gone."""
    names = {store, str(location_of(store))}
    for each in needs.registered:
        if each.store in names:
            if each.stale:
                return each
            raise CleaningRefusedError(
                f"{each.store} is there, so its artefacts stay; remove the store and {each.run} first"
            )
    known = ", ".join(each.store for each in needs.registered) or "none"
    raise CleaningRefusedError(f"{store} is not registered in {needs.folder}; those that are: {known}")


def _users(needs: Needs, gone: Sequence[Registration]) -> list[str]:
    """Say who needs how much."""
    size_of = sizes(needs.folder)

    def much(keys: frozenset[str]) -> str:
        present = keys & size_of.keys()
        return f"{len(present)} artefacts ({_bytes(sum(size_of[key] for key in present))})"

    lines = [f"{needs.folder}: {much(frozenset(size_of))}"]
    for each in needs.registered:
        state = "finished" if each.finished else "not finished"
        if each in gone:
            state = "gone, to be forgotten"
        elif each.stale:
            state = (
                f"not found from here, registered on {each.host} at {each.registered}; if it is gone for good, "
                f"--forget {each.store}"
            )
        lines.append(f"  needed by {each.store}: {much(each.artefacts)}, {state}")
    return lines + [f"  needed by {place}: {much(keys)}" for place, keys in needs.named.items()]


def _described(found: Sequence[Leftover], *, listing: bool, removing: bool) -> list[str]:
    if not found:
        return ["every file in it is needed"]
    kinds: dict[str, list[Leftover]] = defaultdict(list)
    for each in found:
        kinds[each.kind].append(each)
    lines = [f"{'removing' if removing else 'no study needs'} {len(found)} files, {_size(found)}:"]
    for kind, files in sorted(kinds.items()):
        oldest, newest = min(each.modified for each in files), max(each.modified for each in files)
        age = _age(newest) if _age(newest) == _age(oldest) else f"{_age(newest)} to {_age(oldest)}"
        lines.append(f"  {len(files):>6} {_size(files):>10}  {age} old  {kind}")
        lines += [
            f"    {_size([each]):>10}  {_age(each.modified)} old  {each.path}" for each in files * listing
        ]
    return lines


def _size(files: Sequence[Leftover]) -> str:
    return _bytes(sum(each.size for each in files))


def _bytes(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def _age(modified: float) -> str:
    """Say how old a file is, in the largest unit of which it is two or more."""
    age = max(0.0, time.time() - modified)
    for unit, seconds in (("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if age >= 2 * seconds:
            return f"{age // seconds:.0f} {unit}"
    return f"{age // 1:.0f} s"
