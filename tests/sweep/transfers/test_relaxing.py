"""Which transfers are relaxed, and how good their estimates were: told from a store, the relaxations by the kernel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sweep.exporting.errors import ExportError
from sweep.store import open_store
from sweep.store.transfers import write_relaxed_transfer
from sweep.transfers.command import show_transfers
from sweep.transfers.effectivity import transfer_effectivities
from sweep.transfers.relaxing import chosen_transfers
from sweep.variables import Status
from tests.sweep.small_store import BLOCK, labels_of, new_store
from tests.sweep.transfers.known import STATUSES, known_of

AT = {name: f"{label}" for name, label in labels_of(BLOCK).items()} | {
    "weight_forces": "1",
    "weight_virial": "10",
}


def test_a_sample_is_of_what_is_estimated_and_elsewhere(store: Path) -> None:
    found = chosen_transfers(open_store(store), None, None, 4, 0)
    assert len({each.name for each in found}) == 4
    for each in found:
        assert (each.labels["dislocation"], each.target) == ("edge", "screw")
        assert (each.labels["weight_forces"], each.labels["weight_virial"]) != (0.0, 0.0)
    assert found == chosen_transfers(open_store(store), None, None, 4, 0)
    # the excluded weighting is no fit: five are all
    assert len(chosen_transfers(open_store(store), None, None, 99, 0)) == len(STATUSES) - 1


def test_what_is_relaxed_is_not_drawn_again(store: Path) -> None:
    for weighting in (1, 2, 3, 4):
        write_relaxed_transfer(store, BLOCK, weighting, "screw", Status.relaxed, {"geometry_error": 2.0})
    (left,) = chosen_transfers(open_store(store), None, None, 99, 0)
    assert (left.labels["weight_forces"], left.labels["weight_virial"]) == (1.0, 10.0)
    write_relaxed_transfer(store, BLOCK, 5, "screw", Status.other_minimum, {})
    with pytest.raises(ExportError, match="no transfer is left"):
        chosen_transfers(open_store(store), None, None, 99, 0)


def test_a_point_is_named_as_in_exports(store: Path) -> None:
    (found,) = chosen_transfers(open_store(store), AT, None, 1, 0)
    assert found.labels["weight_virial"] == 10.0
    assert found.target == "screw"
    with pytest.raises(ExportError, match="--to mixed: the store's dislocations are screw, edge"):
        chosen_transfers(open_store(store), AT, "mixed", 1, 0)


def test_effectivities_are_of_the_pair_and_of_what_was_relaxed(store: Path) -> None:
    estimates = known_of(BLOCK, "screw")["geometry_estimate"]
    for weighting, factor in ((1, 2.0), (2, 4.0), (3, 8.0)):
        values = {"geometry_error": estimates[weighting] / factor}
        write_relaxed_transfer(store, BLOCK, weighting, "screw", Status.relaxed, values)
    write_relaxed_transfer(store, BLOCK, 4, "screw", Status.unconverged, {})
    (found,) = transfer_effectivities(open_store(store))
    assert (found.trained, found.judged, found.lost) == ("edge", "screw", 1)
    assert (found.relaxed.count, found.relaxed.median) == (3, pytest.approx(4.0))
    # θ is large everywhere in this store
    assert found.trusted.count == 0
    assert np.isnan(found.trusted.median)


def test_a_store_without_transfers_is_refused_in_one_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = new_store(tmp_path / "plain.zarr")
    with pytest.raises(ExportError, match="the store has no transfers"):
        chosen_transfers(open_store(plain), None, None, 1, 0)
    assert show_transfers(tmp_path / "nowhere.zarr") == 2
    assert "no store at" in capsys.readouterr().err
