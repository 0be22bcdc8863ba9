"""Who needs a folder of artefacts: each store that uses it says so there, and its driver holds it while it works."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from sweep.artefacts import Recipe
from sweep.durable import make_folder, sync_path
from sweep.location import Location, LocationError, UnreachableError, location_of
from sweep.lock import holder_of, open_alone
from sweep.recipes import Recipes, needs
from sweep.transfers.made_from import targets_of, transfer

#: Folder of registrations within a folder of artefacts; no artefact's folder has three characters or more.
USERS_NAME = "users"
LOCK_NAME = "lock"


class ArtefactsInUseError(BlockingIOError):
    """A folder of artefacts that others work with, or that is being cleaned."""


class RegistrationError(ValueError):
    """A registration that this version cannot read."""


@dataclass(frozen=True)
class Registration:
    """What one store needs of a folder of artefacts.

    It names keys, not recipes, so that what a store needs is known without its files, and to any later version.

    Parameters
    ----------
    store
        The store's path or URL.
    run
        Its run folder.
    study
        Its study's name.
    host
        On which it was registered.
    registered
        When: ISO 8601, UTC.
    digest
        Of what the keys follow from: the study and the versions of its kernels.
    artefacts
        Keys of everything that the study's recipes name, for good: those of earlier states of the study too.
    results
        Those of them that its points are relaxed, exported and drawn from; the others only lead there.
    finished
        Whether its study ran to its end.
    """

    store: str
    run: str
    study: str
    host: str
    registered: str
    digest: str
    artefacts: frozenset[str]
    results: frozenset[str]
    finished: bool = False

    @property
    def stale(self) -> bool:
        """Whether neither the store nor its run folder is there any more; not where the store cannot be reached."""
        try:
            return not (Path(self.run).exists() or location_of(self.store).exists())
        except (LocationError, UnreachableError):
            return False

    def needed(self, *, results_only: bool) -> frozenset[str]:
        """Keys that must stay; of a finished study its results alone, where that is enough."""
        return self.results if results_only and self.finished else self.artefacts


def keys_of(recipes: Recipes) -> tuple[frozenset[str], frozenset[str]]:
    """Give the keys of every artefact that a study's recipes name, and of those that its results are read from.

    Parameters
    ----------
    recipes
        The study's recipes.

    Returns
    -------
    everything, results : frozenset of str
        The second is part of the first.
    """
    everything: dict[str, Recipe] = {}
    results = {recipes.material.key}
    roots = [recipes.material]
    for block in recipes.grid.blocks() if recipes.fitting else ():
        inputs = recipes.block_inputs(block).values()
        results |= {recipe.key for recipe in inputs}
        roots += inputs
        roots += [transfer(recipes, block, target) for target in targets_of(recipes, block)]
    if recipes.comparing:
        roots += [
            part for cylinder in recipes.grid.cylinders() for part in needs(recipes.truncation(cylinder))
        ]
    while roots:
        recipe = roots.pop()
        if recipe.key not in everything:
            everything[recipe.key] = recipe
            roots += needs(recipe)
    return frozenset(everything), frozenset(results)


def register(folder: Path, store: Location, run: Path, recipes: Recipes, digest: str) -> None:
    """Say in a folder of artefacts what a store needs of it; called by its driver, before it needs anything.

    What an earlier state of the same store needed stays needed: its points are still there. Where the store is not
    there, it starts afresh.

    Parameters
    ----------
    folder
        The folder of artefacts.
    store
        The store.
    run
        Its run folder.
    recipes
        Of its study.
    digest
        Of what the keys follow from: nothing is done where it is registered with the same already.

    Raises
    ------
    OSError
        If the folder cannot be written to.
    """
    path = _path(folder, str(store))
    earlier = None
    if path.exists():
        # one that cannot be read is written anew
        with suppress(RegistrationError):
            earlier = _read(path)
    if earlier is not None and earlier.digest == digest:
        return
    everything, results = keys_of(recipes)
    if earlier is not None and store.exists():
        everything, results = everything | earlier.artefacts, results | earlier.results
    now = datetime.now(UTC).isoformat(timespec="seconds")
    name, host = recipes.study.study, socket.gethostname()
    _write(folder, Registration(str(store), str(run), name, host, now, digest, everything, results))


def mark_finished(folder: Path, store: Location) -> None:
    """Take note that a registered store's study ran to its end."""
    path = _path(folder, str(store))
    if path.exists() and not (known := _read(path)).finished:
        _write(folder, replace(known, finished=True))


def registrations(folder: Path) -> list[Registration]:
    """Read which stores use a folder of artefacts, by their paths.

    Raises
    ------
    RegistrationError
        If one cannot be read: what it needs is not known then.
    """
    return sorted(map(_read, (folder / USERS_NAME).glob("*.json")), key=lambda each: each.store)


def forget(folder: Path, registration: Registration) -> None:
    """Take a registration away."""
    _path(folder, registration.store).unlink(missing_ok=True)


@contextmanager
def using(folder: Path) -> Iterator[None]:
    """Keep a folder of artefacts from being cleaned while the context lasts; any number of processes may.

    Raises
    ------
    ArtefactsInUseError
        If it is being cleaned.
    OSError
        If it cannot be written to.
    """
    with _locked(folder, fcntl.LOCK_SH) as descriptor:
        if descriptor is None:
            raise ArtefactsInUseError(f"{folder} is being cleaned; run again when that is over")
        yield


@contextmanager
def alone_with(folder: Path) -> Iterator[None]:
    """Hold a folder of artefacts that no driver uses, while the context lasts.

    Raises
    ------
    ArtefactsInUseError
        If a driver uses it, or another process cleans it.
    """
    with _locked(folder, fcntl.LOCK_EX) as descriptor:
        if descriptor is None:
            raise ArtefactsInUseError(f"{folder} is in use by {_who(folder)}; clean it when that is over")
        yield


@contextmanager
def _locked(folder: Path, kind: int) -> Iterator[int | None]:
    make_folder(folder / USERS_NAME)
    with open_alone(folder / USERS_NAME / LOCK_NAME) as descriptor:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
        else:
            yield descriptor


def _who(folder: Path) -> str:
    """Name the drivers at work on stores that are registered, as far as their run folders tell."""
    found: list[str] = []
    for each in registrations(folder):
        holder = holder_of(Path(each.run))
        if holder is not None:
            found.append(f"process {holder.pid} on {holder.host}, which runs {each.store}")
    return " and ".join(found) or "another process"


def _path(folder: Path, store: str) -> Path:
    return folder / USERS_NAME / f"{hashlib.sha256(store.encode()).hexdigest()[:16]}.json"


def _read(path: Path) -> Registration:
    try:
        fields = json.loads(path.read_text())
        sets = {name: frozenset(map(str, fields[name])) for name in ("artefacts", "results")}
        return Registration(**{**fields, **sets})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise RegistrationError(
            f"{path} cannot be read ({error}), so that it is not known which artefacts its store needs; run that study "
            "again, which writes it anew, or remove the file if the store is gone"
        ) from error


def _write(folder: Path, registration: Registration) -> None:
    path = _path(folder, registration.store)
    make_folder(path.parent)
    fields = asdict(registration) | {
        "artefacts": sorted(registration.artefacts),
        "results": sorted(registration.results),
    }
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        temporary.write_text(json.dumps(fields, indent=1))
        sync_path(temporary)
        temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_path(path.parent)
