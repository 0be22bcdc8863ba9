"""Fits judged on dislocations they were not trained on: ratios recovered, distrust, names that are names only."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

from sweep.advice import Advice, advise
from sweep.advice.table import advice_json, advice_lines
from sweep.variables import Status, Trust
from tests.sweep.advice.made import NAMES, RATIOS, falling, relaxed_transfers, store, transferred


def ratios(advice: Advice) -> dict[tuple[str, str], float]:
    return {(each.trained, each.judged): each.ratio for each in advice.elsewhere}


def test_ratios_are_recovered_with_their_intervals() -> None:
    advice = advise(transferred(), 0.1)
    assert ratios(advice).keys() == RATIOS.keys()
    verdicts = {}
    for each in advice.elsewhere:
        wanted = RATIOS[each.trained, each.judged]
        assert each.ratio == pytest.approx(wanted, rel=0.03)
        assert each.low < each.ratio < each.high
        assert (each.replicas, each.trusted) == (5, each.estimates)
        verdicts[each.trained, each.judged] = each.verdict
    assert verdicts == {pair: "worse" if ratio > 1.2 else "as good" for pair, ratio in RATIOS.items()}
    assert "Trained on screw and bulk, edge is 3" in str(advice)
    assert "as wrong as when trained on edge itself, by linear response; 5 replicas" in str(advice)


def test_the_order_of_the_dislocations_changes_nothing() -> None:
    there = transferred()
    turned = NAMES[::-1]
    back = there.sel(dislocation=turned, target_dislocation=[NAMES[1], NAMES[2], NAMES[0]])
    first, second = (ratios(advise(ds, 0.1)) for ds in (there, back))
    assert first.keys() == second.keys()
    for pair, ratio in first.items():
        assert second[pair] == pytest.approx(ratio, rel=1e-12)


def test_what_is_distrusted_is_left_out_and_decides_nothing_alone() -> None:
    ds = transferred()
    spoilt = (ds.degree == 6) & (ds.target_dislocation == "edge")
    ds["transfer_geometry_estimate"] = ds["transfer_geometry_estimate"].where(~spoilt, 1e6)
    flags = ds["transfer_estimate_trusted"]
    ds["transfer_estimate_trusted"] = flags.where(~spoilt.broadcast_like(flags), Trust.distrusted).astype(
        np.uint8
    )
    (edge,) = (each for each in advise(ds, 0.1).elsewhere if (each.trained, each.judged) == ("screw", "edge"))
    assert edge.ratio == pytest.approx(3.0, rel=0.03)
    assert 3 * edge.trusted == 2 * edge.estimates
    ds["transfer_estimate_trusted"] = xr.full_like(ds["transfer_estimate_trusted"], Trust.distrusted)
    for each in advise(ds, 0.1).elsewhere:
        assert (each.verdict, each.trusted) == ("cannot tell", 0)
        assert "none of" in each.reason


def test_relaxed_transfers_are_believed_before_their_estimates() -> None:
    """Errors of relaxed cores are seven times their estimates, which nobody trusts."""
    ds = relaxed_transfers(transferred(), 7.0)
    ds["transfer_estimate_trusted"] = xr.full_like(ds["transfer_estimate_trusted"], Trust.distrusted)
    advice = advise(ds, 0.1)
    for each in advice.elsewhere:
        assert each.ratio == pytest.approx(7 * RATIOS[each.trained, each.judged], rel=0.03)
        assert each.verdict == "worse"
        assert each.relaxed == each.trusted == each.estimates
    assert "by relaxed cores" in str(advice)
    estimates = ds.assign(geometry_estimate=ds["geometry_error"])
    estimated = advise(estimates, 0.1, "geometry_estimate").elsewhere
    assert all(each.relaxed == 0 and each.verdict == "cannot tell" for each in estimated)
    assert not any("sweep transfer" in each.reason for each in estimated)
    unrelaxed = advise(ds.assign(transfer_status=xr.full_like(ds["transfer_status"], Status.estimated)), 0.1)
    assert all("sweep transfer relaxes some" in each.reason for each in unrelaxed.elsewhere)


def test_a_few_relaxed_transfers_are_taken_among_estimates() -> None:
    ds = relaxed_transfers(transferred(), 7.0)
    few = ds["degree"] == 6
    ds["transfer_status"] = ds["transfer_status"].where(few, Status.estimated).astype(np.uint8)
    advice = advise(ds, 0.1)
    for each in advice.elsewhere:
        wanted = RATIOS[each.trained, each.judged] * 7 ** (1 / 3)
        assert each.ratio == pytest.approx(wanted, rel=0.03)
        assert 3 * each.relaxed == each.estimates
    assert "by linear response and 20 pairs of relaxed cores" in str(advice)


def test_transfers_that_relaxed_into_another_minimum_count_against_them() -> None:
    ds = relaxed_transfers(transferred(), 1.0)
    gone = (ds["dislocation"] == "edge") & (ds["target_dislocation"] == "screw")
    most = gone & (ds["degree"] > 6)
    for places, left, said in (
        (most, 20, "40 fits relaxed into no such core"),
        (gone, 0, "cannot be judged: 60 fits"),
    ):
        there = places.broadcast_like(ds["transfer_status"]) & (ds["transfer_status"] == Status.relaxed)
        status = ds["transfer_status"].where(~there, Status.other_minimum).astype(np.uint8)
        advice = advise(ds.assign(transfer_status=status), 0.1)
        (screw,) = (each for each in advice.elsewhere if (each.trained, each.judged) == ("edge", "screw"))
        # as good by what is left, and by estimates, which trust themselves
        assert (screw.verdict, screw.estimates, screw.lost) == ("cannot tell", left, 60 - left)
        assert said in str(advice)


def test_one_replica_has_no_interval() -> None:
    for each in advise(transferred(replica=[0]), 0.1).elsewhere:
        assert (each.verdict, each.replicas) == ("cannot tell", 1)
        assert "no interval" in each.reason


def test_stores_without_transfers_say_nothing_of_them() -> None:
    assert advise(store(falling), 0.1).elsewhere == ()
    assert advise(transferred().isel(dislocation=0), 0.1).elsewhere == ()


def test_every_form_has_them() -> None:
    advice = advise(transferred(), 0.1)
    lines = list(advice_lines(advice))
    start = next(place for place, line in enumerate(lines) if line.startswith("# elsewhere"))
    rows = [line.split("\t")[:2] for line in lines[start + 2 : start + 8]]
    assert [tuple(row) for row in rows] == list(ratios(advice))
    found = json.loads(advice_json(advice))["elsewhere"]
    assert [(each["trained"], each["judged"]) for each in found] == list(ratios(advice))
