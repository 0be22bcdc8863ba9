"""What a run sets up before it begins: folders, store, and what says whose they are."""

from __future__ import annotations

from sweep.artefact_users import register
from sweep.fixed_choices import RADIAL_EDGES
from sweep.identity import Identity
from sweep.leftovers import remove_own
from sweep.measured import ATTRIBUTE as MEASURES
from sweep.prepared import Prepared
from sweep.store import (
    accept_kernels,
    accept_packages,
    create_store,
    grow_store,
    mark_asked,
    undo_growth,
)


def set_up(prepared: Prepared) -> None:
    """Make the folders and the store where they are missing; the journals' identity before any journal.

    Only the driver may call this, under its lock, with the folder of artefacts in its use.

    Parameters
    ----------
    prepared
        The study, unchanged since its store was made, if it was.

    Raises
    ------
    StoreError, OSError
        If they cannot be made.
    """
    folders, identity = prepared.folders, prepared.identity
    # before the store is made: its artefacts are needed from here on
    register(folders.artefacts, folders.store, folders.run, prepared.recipes, prepared.digest)
    remove_own(folders.run, folders.store)
    for folder in (folders.artefacts, folders.journals, folders.logs, folders.compiled, folders.scratch):
        folder.mkdir(parents=True, exist_ok=True)
    prepared.artefacts.remove_leftovers()
    if Identity.of_run(folders.run) != identity:
        identity.write(folders.run)
    packages = identity.fingerprint["packages"]
    if not folders.store.exists():
        attributes = {
            "study": prepared.study.text,
            "fingerprint": identity.fingerprint,
            "packages": packages,
            **({MEASURES: prepared.declared} if prepared.declared else {}),
        }
        recipes = prepared.recipes
        create_store(
            folders.store,
            prepared.grid,
            RADIAL_EDGES,
            attributes,
            truncation=recipes.comparing,
            optional=("training_truncation_error",) if recipes.training_in_own_domain else (),
        )
        mark_asked(folders.store, prepared.grid, prepared.study.text)
        return
    # before anything else is written to it
    undo_growth(folders.store)
    grow_store(folders.store, prepared.grid, prepared.study.text)
    mark_asked(folders.store, prepared.grid, prepared.study.text)
    made_with = Identity.of_store(folders.store).fingerprint
    if made_with["packages"] != packages:
        accept_packages(folders.store, packages)
    if made_with["kernels"] != identity.fingerprint["kernels"]:
        accept_kernels(folders.store, identity.fingerprint["kernels"])
