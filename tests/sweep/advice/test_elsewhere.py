"""Fits judged on dislocations they were not trained on: ratios recovered, distrust, names that are names only."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

from sweep.advice import Advice, advise
from sweep.advice.table import advice_json, advice_lines
from sweep.variables import Trust
from tests.sweep.advice.made import NAMES, RATIOS, falling, store, transferred


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
