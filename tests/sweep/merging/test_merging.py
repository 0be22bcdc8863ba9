"""Stores of several sites made one: it holds what a store holds that was given every record."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from sweep.causes import Cause
from sweep.cli import application
from sweep.grid import Block, Cylinder
from sweep.identity import Identity
from sweep.journal import Journal, JournalReader
from sweep.location import FolderLocation
from sweep.lock import driver_lock
from sweep.merging import MergeRefusedError, merged
from sweep.records import Record
from sweep.store import (
    create_store,
    grow_store,
    open_failures,
    open_store,
    read_failures,
    write_configuration,
    write_failures,
    write_records,
    write_truncations,
)
from sweep.store.burgers import read_burgers_lengths, write_burgers_lengths
from sweep.store.potential_cores import potential_cores_path, write_potential_core
from sweep.store.transfers import write_relaxed_transfer, write_transfers
from sweep.study import read_study
from sweep.truncations import TruncationRecord
from sweep.variables import Status
from sweep.verify import verify_store
from tests.sweep.small_store import (
    ATTRIBUTES,
    BLOCK,
    EDGES,
    N_WEIGHTINGS,
    assert_equal_stores,
    at,
    block_record,
    grid_with,
    labels_of,
    new_store,
    point_record,
)
from tests.sweep.transfers.known import STATUSES, known_of

OTHER = Block("screw", 25.0, 6, 6.0, 4, 0)
BLOCKS = (BLOCK, OTHER)


def store_of(path: Path, records: Sequence[Record], attributes: Any = ATTRIBUTES, **axes: Any) -> Path:
    create_store(path, grid_with(**axes), EDGES, attributes)
    write_records(path, records)
    return path


def failed(block: Block, weighting: int | None) -> Record:
    return Record(block, weighting, "failed", message="no luck", wall_time_s=1.0)


@st.composite
def some_records(draw: st.DrawFn) -> list[Record]:
    """What a site may know: of each block and point nothing, a failure, or the one result there is."""
    records = []
    for number, block in enumerate(BLOCKS):
        kinds = [None, failed(block, None), block_record(block, seed=number)]
        records.append(draw(st.sampled_from(kinds)))
        for weighting in range(3):
            results = [None, failed(block, weighting), point_record(weighting, block, seed=number)]
            records.append(draw(st.sampled_from(results)))
    return [record for record in records if record is not None]


# each makes stores, which takes a second: what a site may know of one point is met in a dozen ways by each
@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=some_records(), second=some_records())
def test_a_merge_is_the_store_that_was_given_every_record(
    tmp_path_factory: pytest.TempPathFactory, first: list[Record], second: list[Record]
) -> None:
    folder = tmp_path_factory.mktemp("merge")
    sites = [store_of(folder / "a.zarr", first), store_of(folder / "b.zarr", second)]
    assert merged(sites, folder / "c.zarr").conflicts == ()
    everything = store_of(folder / "all.zarr", [*second, *first])
    assert_equal_stores(folder / "c.zarr", everything)


def test_merging_again_and_in_another_order_makes_the_same(tmp_path: Path) -> None:
    first = [block_record(), point_record(3), failed(BLOCK, 2), failed(OTHER, None)]
    second = [point_record(2), failed(BLOCK, 3), block_record(OTHER, seed=1)]
    sites = [store_of(tmp_path / "a.zarr", first), store_of(tmp_path / "b.zarr", second)]
    merged(sites, tmp_path / "c.zarr")
    merged([tmp_path / "c.zarr", *sites], tmp_path / "again.zarr")
    assert_equal_stores(tmp_path / "again.zarr", tmp_path / "c.zarr")
    merged(sites[::-1], tmp_path / "turned.zarr")
    assert_equal_stores(tmp_path / "turned.zarr", tmp_path / "c.zarr")


STUDY = """\
study: shared
material: {{element: W, structure: bcc}}
reference: {{preset: tungsten-snap}}
dislocations: [{name}]
axes:
  simulation_radius: [25.0]
  degree: [6, 8]
  domain_radius: [6.0, 8.5]
  n_train: {sizes}
  replica: 2
  weight_energy: [1.0]
  weight_forces: [0.0, 1.0]
  weight_virial: [0.0, 1.0, 10.0]
"""


def test_axes_are_united_and_the_study_asks_for_all_of_them(tmp_path: Path) -> None:
    texts = [STUDY.format(name="edge", sizes=[4]), STUDY.format(name="screw", sizes=[2])]
    block = Block("screw", 25.0, 6, 6.0, 2, 0)
    axes: list[dict[str, Any]] = [
        {"dislocation": ("edge",), "n_train": (4,)},
        {"dislocation": ("screw",), "n_train": (2,)},
    ]
    records = [[block_record(), point_record(3)], [block_record(block, seed=5), point_record(1, block)]]
    sites = [
        store_of(tmp_path / f"{place}.zarr", found, {**ATTRIBUTES, "study": text}, **labels)
        for place, (text, found, labels) in enumerate(zip(texts, records, axes, strict=True))
    ]
    merged(sites, tmp_path / "c.zarr")
    found = open_store(tmp_path / "c.zarr").load()
    for site, own in zip(sites, (BLOCK, block), strict=True):
        xr.testing.assert_equal(
            at(found, own).drop_vars("dislocation"), at(open_store(site).load(), own).drop_vars("dislocation")
        )
    done = int((found["status"] != Status.pending).sum())
    assert done == 2 * N_WEIGHTINGS
    study = read_study(str(found.attrs["study"]))
    assert (study.dislocations, study.axes.n_train) == (("edge", "screw"), (2, 4))
    assert Identity.of_run(tmp_path / "c.zarr.run") == Identity.of_store(tmp_path / "c.zarr")


@pytest.mark.parametrize("order", [1, -1])
def test_of_results_that_differ_the_first_stores_are_kept_and_counted(tmp_path: Path, order: int) -> None:
    sites = [
        store_of(tmp_path / f"{seed}.zarr", [block_record(), point_record(3, seed=seed), point_record(4)])
        for seed in (1, 2)
    ][::order]
    outcome = CliRunner().invoke(application, ["merge", *map(str, sites), "-o", str(tmp_path / "c.zarr")])
    assert outcome.exit_code == 1
    assert "1 points have results that differ" in outcome.output
    assert "dislocation=edge" in outcome.output
    assert "artefacts are not merged" in outcome.output
    assert_equal_stores(tmp_path / "c.zarr", sites[0])


def test_rounding_is_no_conflict(tmp_path: Path) -> None:
    record = point_record(3)
    values = {name: value * (1 + 1e-7) for name, value in record.values.items()}
    rounded = Record(record.block, 3, "relaxed", values)
    sites = [store_of(tmp_path / "a.zarr", [record]), store_of(tmp_path / "b.zarr", [rounded])]
    assert merged(sites, tmp_path / "c.zarr").conflicts == ()


def test_what_the_users_own_measures_gave_goes_with_the_points(tmp_path: Path) -> None:
    attributes = {**ATTRIBUTES, "measures": {"mine:width": [["width", "angstrom", "width of the core"]]}}
    record = Record(BLOCK, 3, "relaxed", {"geometry_error": 0.1, "width": 2.5})
    sites = [
        store_of(tmp_path / "a.zarr", [block_record()], attributes),
        store_of(tmp_path / "b.zarr", [record], attributes),
    ]
    merged(sites, tmp_path / "c.zarr")
    assert float(at(open_store(tmp_path / "c.zarr"), BLOCK)["width"][3]) == 2.5
    store_of(tmp_path / "without.zarr", [])
    with pytest.raises(MergeRefusedError, match=r"without\.zarr lacks width"):
        merged([sites[0], tmp_path / "without.zarr"], tmp_path / "d.zarr")


def changed(**fields: Any) -> dict[str, Any]:
    return {**ATTRIBUTES, "fingerprint": {**ATTRIBUTES["fingerprint"], **fields}}  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("attributes", "axes", "message"),
    [
        (changed(seed=1), {}, "seed is 0 and 1"),
        (changed(packages={"numpy": "1"}), {}, "--accept-versions"),
        (ATTRIBUTES, {"weight_virial": (0.0, 10.0, 1.0)}, "weight_virial is"),
    ],
)
def test_stores_of_other_studies_are_refused(
    tmp_path: Path, attributes: dict[str, Any], axes: dict[str, Any], message: str
) -> None:
    mine = store_of(tmp_path / "a.zarr", [block_record()], changed(packages={"numpy": "2"}))
    if "--accept-versions" not in message:
        attributes = {
            **attributes,
            "fingerprint": {**attributes["fingerprint"], "packages": {"numpy": "2"}},
        }
    other = store_of(tmp_path / "b.zarr", [], attributes, **axes)
    outcome = CliRunner().invoke(
        application, ["merge", str(mine), str(other), "-o", str(tmp_path / "c.zarr")]
    )
    assert outcome.exit_code == 2
    assert message in outcome.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zarr", "b.zarr"]


def test_other_packages_are_merged_when_told_to(tmp_path: Path) -> None:
    sites = [
        store_of(tmp_path / f"{number}.zarr", [], changed(packages={"numpy": number}))
        for number in ("1", "2")
    ]
    merged(sites, tmp_path / "c.zarr", accept_versions=True)
    attributes = open_store(tmp_path / "c.zarr").attrs
    assert attributes["packages"] == '{"numpy": "1"}'
    assert '{"numpy": "2"}' in attributes["earlier_packages"]


def test_a_store_at_work_and_a_name_that_is_taken_are_refused(tmp_path: Path) -> None:
    sites = [new_store(tmp_path / "a.zarr"), new_store(tmp_path / "b.zarr")]
    with pytest.raises(MergeRefusedError, match="exists"):
        merged(sites, sites[1])
    with driver_lock(tmp_path / "b.zarr.run"), pytest.raises(MergeRefusedError, match="is being worked on"):
        merged(sites, tmp_path / "c.zarr")
    with Journal.create(tmp_path / "c.zarr.run" / "journals"):
        pass
    with pytest.raises(MergeRefusedError, match="journals of another store"):
        merged(sites, tmp_path / "c.zarr")


def test_what_only_journals_hold_is_taken_in_and_journals_are_kept(tmp_path: Path) -> None:
    sites = [new_store(tmp_path / "a.zarr"), new_store(tmp_path / "b.zarr")]
    records = [block_record(), point_record(3, seed=1)], [block_record(), point_record(3, seed=2)]
    for site, journaled in zip(sites, records, strict=True):
        with Journal.create(site.with_name(site.name + ".run") / "journals") as journal:
            for record in journaled:
                journal.append(record)
    assert len(merged(sites, tmp_path / "c.zarr").conflicts) == 1
    assert_equal_stores(tmp_path / "c.zarr", store_of(tmp_path / "all.zarr", records[0]))
    assert [found.line for found in verify_store(tmp_path / "c.zarr")] == []
    # made again from its journals, it would be the same
    again = store_of(
        tmp_path / "again.zarr",
        [r for r in JournalReader(tmp_path / "c.zarr.run/journals").refresh() if isinstance(r, Record)],
    )
    assert_equal_stores(again, tmp_path / "c.zarr")


@pytest.mark.parametrize("cut", ["copied", "write", "new_group"])
def test_a_merge_that_was_cut_short_is_made_by_merging_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: str
) -> None:
    sites = [
        store_of(tmp_path / "a.zarr", [block_record()]),
        store_of(tmp_path / "b.zarr", [point_record(3)]),
    ]
    with Journal.create(tmp_path / "a.zarr.run" / "journals") as journal:
        journal.append(block_record())
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    places = {
        "copied": "sweep.merging.merge.take_points",
        "write": "sweep.identity.Identity.write",
        "new_group": "sweep.location.FolderLocation.new_group",
    }

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(places[cut], killed)
        with pytest.raises(KeyboardInterrupt):
            merged(sites, tmp_path / "c.zarr")
    assert not (tmp_path / "c.zarr").exists()
    merged(sites, tmp_path / "c.zarr")
    assert_equal_stores(
        tmp_path / "c.zarr", store_of(tmp_path / "all.zarr", [block_record(), point_record(3)])
    )
    assert {path: path.read_bytes() for path in before} == before
    assert not list((tmp_path / "c.zarr.run").glob(".*"))


def test_what_lies_beside_the_points_goes_with_them(tmp_path: Path) -> None:
    arrays = {
        "sites": np.zeros((2, 3)),
        "displacement_predictor": np.ones((2, 3)),
        "displacement_corrector": np.ones((2, 3)),
        "free": np.array([True, False]),
    }
    mine, other = new_store(tmp_path / "a.zarr"), new_store(tmp_path / "b.zarr")
    write_records(mine, [failed(OTHER, None), block_record(status=STATUSES)])
    write_records(other, [block_record(OTHER, status=STATUSES), failed(OTHER, 2)])
    cause = Cause("fits", "no luck")
    write_failures(mine, {(OTHER, None): cause})
    write_failures(other, {(OTHER, 2): cause})
    write_truncations(
        other, [TruncationRecord(Cylinder("edge", 25.0), "relaxed", {"truncation_energy_error": 0.5})]
    )
    write_burgers_lengths(other, {"screw": 2.7})
    write_configuration(mine, "edge", 25.0, arrays)
    write_configuration(other, "edge", 25.0, arrays)
    write_configuration(other, "screw", 25.0, arrays, period=2.7)
    labels = {**labels_of(BLOCK), "weight_energy": 1.0, "weight_forces": 1.0, "weight_virial": 0.0}
    group = write_potential_core(other, labels, np.ones((2, 3)), {"name": "best"})
    write_transfers(mine, lambda block, target: known_of(block, target) if block == BLOCK else None)
    write_transfers(other, known_of)
    values = {"geometry_error": 0.2, "energy_difference": -0.1}
    write_relaxed_transfer(other, OTHER, 3, "edge", Status.relaxed, values)
    merged([mine, other], tmp_path / "c.zarr")
    store = tmp_path / "c.zarr"
    assert set(read_failures(store)) == {(OTHER, 2)}
    assert open_failures(store).sizes == {"failure": 1}
    found = open_store(store)
    assert float(found["truncation_energy_error"].sel(dislocation="edge", simulation_radius=25.0)) == 0.5
    assert read_burgers_lengths(store) == {"screw": 2.7}
    assert xr.open_zarr(store, group="configurations/screw/25.0").attrs["period"] == 2.7
    assert group.startswith(potential_cores_path("edge", 25.0))
    assert xr.open_zarr(store, group=group).attrs["name"] == "best"
    for site, block in ((mine, BLOCK), (other, OTHER)):
        for name in [each for each in found if str(each).startswith("transfer_")]:
            ours, theirs = (ds[name].sel(labels_of(block)) for ds in (found, open_store(site)))
            xr.testing.assert_identical(ours.load(), theirs.load())
    assert [each.line for each in verify_store(store) if each.weight.value == "fault"] == []


def test_growth_that_was_cut_short_in_a_store_does_not_come_to_be_seen_by_merging(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores = [store_of(tmp_path / f"{name}.zarr", [block_record()]) for name in ("one", "two")]
    before = open_store(stores[0]).load()
    with monkeypatch.context() as patched:
        patched.setattr("sweep.store.growth.consolidate", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            grow_store(stores[0], grid_with(replica=(0, 1, 2, 3)), ATTRIBUTES["study"])
    merged(stores, tmp_path / "both.zarr")
    xr.testing.assert_equal(open_store(tmp_path / "both.zarr")["status"].load(), before["status"])


def test_a_store_is_merged_into_a_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sites = [
        store_of(tmp_path / "a.zarr", [block_record()]),
        store_of(tmp_path / "b.zarr", [point_record(3)]),
    ]
    merged(sites, "memory://merged/c.zarr")
    everything = store_of(tmp_path / "all.zarr", [block_record(), point_record(3)])
    xr.testing.assert_identical(open_store("memory://merged/c.zarr").load(), open_store(everything).load())
    assert isinstance(merged(sites, tmp_path / "d.zarr").store, FolderLocation)
