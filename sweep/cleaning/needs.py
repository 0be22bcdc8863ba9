"""Which artefacts of a folder are needed, and by whom: stores that are registered there, and what the user names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sweep.artefact_users import Registration, keys_of, registrations
from sweep.exporting.errors import ExportError
from sweep.exporting.stored_study import every_state
from sweep.fingerprint import differences
from sweep.kernel_versions import KERNEL_VERSIONS
from sweep.location import Location, location_of
from sweep.prepared import Folders, prepare
from sweep.store import stored_fingerprint
from sweep.study import load_study

RUN_SUFFIX = ".run"


class CleaningRefusedError(ValueError):
    """A folder that cannot be cleaned as it was asked for."""


@dataclass(frozen=True)
class Needs:
    """What must stay.

    Parameters
    ----------
    folder
        The folder of artefacts.
    registered
        Stores that are registered there.
    named
        Keys that the studies and stores named by the user need, by their paths.
    """

    folder: Path
    registered: tuple[Registration, ...]
    named: dict[str, frozenset[str]]

    def keys(self, *, results_only: bool, forgotten: Sequence[Registration] = ()) -> frozenset[str]:
        """Give the keys of everything that must stay.

        Parameters
        ----------
        results_only
            Of finished studies only what their results are read from.
        forgotten
            Registrations that do not count.
        """
        kept = [each.needed(results_only=results_only) for each in self.registered if each not in forgotten]
        return frozenset().union(*kept, *self.named.values())


def needs_of(places: Sequence[str], artefacts: Path | None) -> Needs:
    """Find which folder of artefacts is meant, and what is needed of it.

    Parameters
    ----------
    places
        Study files, stores and run folders.
    artefacts
        The folder; by default the one in the run folder beside the first store.

    Raises
    ------
    CleaningRefusedError
        If there is no such folder, or nothing says what is needed of it.
    ExportError, StoreError, StudyError
        If a place is not what it should be.
    """
    folder = _folder(places, artefacts)
    known = tuple(registrations(folder))
    stores = {each.store for each in known}
    named: dict[str, frozenset[str]] = {}
    for place in places:
        if Path(place).is_file():
            named[place] = keys_of(prepare(Path(place), None, folder).recipes)[0]
        elif str(store := _store(place)) not in stores:
            named[str(store)] = _of_store(store)
    owner = _store(str(folder.parent))
    if folder.parent.name.endswith(RUN_SUFFIX) and str(owner) not in stores and owner.exists():
        named[str(owner)] = _of_store(owner)
    if not known and not named:
        raise CleaningRefusedError(
            f"{folder} does not say which stores use it, so that all of it would go; name the studies and stores that "
            "need it, or remove the folder yourself"
        )
    return Needs(folder, known, named)


def _folder(places: Sequence[str], artefacts: Path | None) -> Path:
    if artefacts is not None:
        folder = artefacts.resolve()
    elif not places:
        raise CleaningRefusedError(
            "nothing to clean is named; give a store, a study file or --artefacts FOLDER"
        )
    elif Path(places[0]).is_file():
        folder = Folders.of(load_study(Path(places[0])), None, None).artefacts
    else:
        folder = _store(places[0]).run_folder / "artefacts"
    if not folder.is_dir():
        where = "" if artefacts else "; name the folder that the run used with --artefacts"
        raise CleaningRefusedError(f"there is no folder of artefacts at {folder}{where}")
    return folder


def _store(place: str) -> Location:
    """Give the store that is meant by its own path or URL, or its run folder's."""
    return location_of(place.rstrip("/").removesuffix(RUN_SUFFIX))


def _of_store(store: Location) -> frozenset[str]:
    """Give the keys that a store needs which is not registered: made by an earlier version, or moved since."""
    made_with = stored_fingerprint(store).get("kernels", {})
    if changed := differences(made_with, KERNEL_VERSIONS):
        raise ExportError(
            f"{store} was made with other kernels ({'; '.join(changed)}), and is not registered: this version cannot "
            "tell which artefacts it needs. Clean with the version that made it"
        )
    return frozenset().union(*(keys_of(recipes)[0] for recipes in every_state(store)))
