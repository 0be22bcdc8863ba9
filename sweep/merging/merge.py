"""Stores of one study made one: each brought up to date with its journals, the first copied, the others taken in."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweep.compaction import Compaction
from sweep.durable import sync_tree
from sweep.grid import DIMENSIONS, Axis, Grid, PointList
from sweep.identity import Identity
from sweep.journal import SUFFIX
from sweep.location import GROUP_FILE, FolderLocation, Location, StoreLike, location_of
from sweep.lock import driver_lock, holder_of
from sweep.merging.agreement import check_agree, united_study
from sweep.merging.beside import take_configurations, take_failures, take_lengths, take_truncations
from sweep.merging.copying import copied
from sweep.merging.errors import MergeRefusedError
from sweep.merging.points import take_points, variables_of
from sweep.merging.transfers import take_transfers
from sweep.remaining import Remaining
from sweep.store import accept_kernels, accept_packages, grow_store, mark_asked, undo_growth
from sweep.store.growth import EARLIER_STUDIES
from sweep.store.layout import layout_of
from sweep.store.root import open_root
from sweep.store.template import consolidate

#: Where a new store is made, in its run folder; `sweep run` would remove it as what a killed driver left.
SCRATCH_NAME = ".merging.tmp"
#: Journals are read in the order of their names, and the last record counts: the first store's come last.
_COPY = re.compile(r"\d{3}-.+")


@dataclass(frozen=True)
class Merged:
    """What came of a merge.

    Parameters
    ----------
    store
        The new store.
    conflicts
        Labels of the points for which two stores have results that differ; the one named first counts.
    """

    store: Location
    conflicts: tuple[dict[str, Any], ...]


def merged(
    stores: Sequence[StoreLike],
    output: StoreLike,
    *,
    accept_versions: bool = False,
    tell: Callable[[str], None] = print,
) -> Merged:
    """Make one store of several of one study.

    Its axes have the labels of all, its points the best that any knows: a result before a failure, that of the store
    named first before others. Failures, truncation errors, configurations, transfers and journals go with it;
    artefacts do not. Nothing is written to the stores. The new one appears when it is whole; after a cut, merging
    again makes it.

    Parameters
    ----------
    stores
        Two or more; journals are looked for in the run folders beside them.
    output
        The new store.
    accept_versions
        Let packages differ.
    tell
        Called with a line about journals that are damaged.

    Returns
    -------
    Merged
        The store, and where others disagreed.

    Raises
    ------
    MergeRefusedError
        If the stores are not of one study, one is being worked on, or there is something at the output.
    sweep.store.StoreError, sweep.study.StudyError
        If one cannot be read.
    OSError
        If the new one cannot be written.
    """
    sources, target = [location_of(store) for store in stores], location_of(output)
    identities = [Identity.of_store(source) for source in sources]
    for source, identity in zip(sources[1:], identities[1:], strict=True):
        check_agree(identities[0], identity, (sources[0], source), accept_versions=accept_versions)
        _check_variables(sources[0], source)
    target.must_be_writable()
    _check_free(target)
    run = target.run_folder
    with driver_lock(run, tell=tell) as lock:
        _check_free(target)
        scratch = run / SCRATCH_NAME
        shutil.rmtree(scratch, ignore_errors=True)
        (scratch / "journals").mkdir(parents=True)
        try:
            copies = [_up_to_date(source, scratch, place, tell) for place, source in enumerate(sources)]
            conflicts = _united(copies, identities)
        except Exception:
            # beside journals it says that they are copies
            if not (run / "journals").exists():
                shutil.rmtree(scratch, ignore_errors=True)
            raise
        _put_in_place(copies[0], target.guarded(lock.check), scratch, len(sources))
    return Merged(target, tuple(conflicts))


def _check_variables(first: Location, other: Location) -> None:
    known = {store: set(variables_of(store)) for store in (first, other)}
    for store, its in known.items():
        if lacking := sorted((known[first] | known[other]) - its):
            raise MergeRefusedError(
                f"{store} lacks {', '.join(lacking)}, which another store has: they were made by different versions "
                "of Farfield, or with other measures"
            )


def _check_free(target: Location) -> None:
    """See that nothing is where the new store is to be, but for what a merge left that was cut short."""
    run = target.run_folder
    cut_short = (run / SCRATCH_NAME).is_dir()
    # at a URL objects are written one by one, that by which a store is found last
    begun = cut_short and not isinstance(target, FolderLocation) and not target.exists(GROUP_FILE)
    if target.exists() and not begun:
        raise MergeRefusedError(f"{target} exists; name another store with --output")
    journals = [path.name for path in (run / "journals").glob("*")]
    if journals and not (cut_short and all(map(_COPY.fullmatch, journals))):
        raise MergeRefusedError(
            f"{run} holds journals of another store; move it away, or name another store with --output"
        )


def _up_to_date(source: Location, scratch: Path, place: int, tell: Callable[[str], None]) -> Location:
    """Copy a store and its journals that nobody works on, and take in what only the journals hold."""
    run, copy = source.run_folder, FolderLocation(scratch / f"{place}.zarr")
    journals = scratch / f"{place}.journals"
    journals.mkdir()
    _check_idle(source)
    # Zarr's name for a file that is not whole yet
    keys = (key for key in source.names() if not key.endswith(".partial"))
    copied(source.zarr_store(read_only=True), copy.zarr_store(), keys)
    undo_growth(copy)
    for journal in sorted((run / "journals").glob(f"*{SUFFIX}")):
        shutil.copyfile(journal, journals / journal.name)
    _check_idle(source)
    identity = Identity.of_run(run)
    if identity is not None and any(journals.iterdir()):
        check_agree(Identity.of_store(copy), identity, (source, run), accept_versions=True)
    grid = _grid([copy], None)
    Compaction(copy, Remaining(grid, copy, journals, relaxing=True, asking=False), tell).begin()
    return copy


def _check_idle(source: Location) -> None:
    if holder := holder_of(source.run_folder):
        raise MergeRefusedError(
            f"{source} is being worked on by process {holder.pid} on {holder.host}; merge when that is over"
        )


def _united(copies: Sequence[Location], identities: Sequence[Identity]) -> list[dict[str, Any]]:
    """Take the others into the first; give the labels of points that have results that differ."""
    first = copies[0]
    attributes = [dict(open_root(copy, "r").attrs) for copy in copies]
    texts = list(dict.fromkeys(str(each["study"]) for each in attributes))
    study = united_study(texts) if len(texts) > 1 else None
    text = texts[0] if study is None else study.text
    grid = _grid(copies, None if study is None else study.listed)
    grow_store(first, grid, text)
    if study is not None:
        mark_asked(first, grid, text)
    conflicts: dict[str, dict[str, Any]] = {}
    for copy in copies[1:]:
        found = take_points(first, copy)
        conflicts |= {json.dumps(labels): labels for labels in found}
        take_truncations(first, copy)
        take_failures(first, copy)
        take_configurations(first, copy)
        take_lengths(first, copy)
        take_transfers(first, copy, grid)
    _say_what_made_it(first, text, attributes, identities)
    return list(conflicts.values())


def _grid(stores: Sequence[StoreLike], listed: PointList | None) -> Grid:
    """Lay out the labels of all stores, the first's first."""
    found = [layout_of(dict(open_root(store, "r").arrays())).labels for store in stores]
    labels = {name: dict.fromkeys(label for each in found for label in each[name]) for name in found[0]}
    return Grid(tuple(Axis(name, tuple(labels[name]), *DIMENSIONS[name]) for name in labels), listed)


def _say_what_made_it(
    store: Location, text: str, attributes: Sequence[dict[str, Any]], identities: Sequence[Identity]
) -> None:
    """Keep the texts by whose recipes fits are found, and every version that made a number."""
    known = [str(each["study"]) for each in attributes]
    known += [earlier for each in attributes for earlier in json.loads(str(each.get(EARLIER_STUDIES, "[]")))]
    earlier = [each for each in dict.fromkeys(known) if each != text]
    root = open_root(store, "r+")
    root.attrs["study"] = text
    if earlier:
        root.attrs[EARLIER_STUDIES] = json.dumps(earlier)
    consolidate(store)
    prints = [identity.fingerprint for identity in identities]
    kernels = {name: version for each in prints for name, version in each.get("kernels", {}).items()}
    if kernels != prints[0].get("kernels", {}):
        accept_kernels(store, kernels)
    packages = [each.get("packages", {}) for each in prints]
    if others := [each for each in packages if each != packages[0]]:
        for each in (*others, packages[0]):
            accept_packages(store, each)


def _put_in_place(made: Location, target: Location, scratch: Path, count: int) -> None:
    """Give the journals, then the store, their names: a cut leaves no store, or a whole one."""
    run, journals = target.run_folder, scratch / "journals"
    for place in range(count):
        for journal in (scratch / f"{place}.journals").iterdir():
            journal.rename(journals / f"{count - 1 - place:03d}-{journal.name}")
    sync_tree(journals)
    # copies that a merge left which was cut short here
    shutil.rmtree(run / "journals", ignore_errors=True)
    journals.rename(run / "journals")
    Identity.of_store(made).write(run)
    with target.new_group() as store:
        copied(made.zarr_store(read_only=True), store, made.names())
    shutil.rmtree(scratch, ignore_errors=True)
