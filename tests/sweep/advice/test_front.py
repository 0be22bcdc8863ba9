"""The Pareto front against a search through all pairs of points."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sweep.advice.front import front_of
from sweep.advice.points import points_of
from sweep.advice.trials import trials_of
from sweep.variables import Status
from tests.sweep.advice.made import falling, marked, store


@settings(max_examples=25)
@given(st.integers(0, 1000), st.sampled_from([0.05, 0.5, 2.0]))
def test_members_are_those_that_no_other_point_beats(seed: int, scatter: float) -> None:
    ds = marked(
        store(falling, scatter=scatter, seed=seed, dislocation=["screw"]), Status.failed, replica=0, degree=8
    )
    (points,) = points_of(trials_of(ds, "geometry_error"), 0.95, 0.5)
    front = front_of(points)
    usable = np.flatnonzero(points.usable)
    atoms, errors = points.labelled_atoms[usable], points.typical[usable]
    beaten = [
        bool(((atoms <= atom) & (errors <= error) & ((atoms < atom) | (errors < error))).any())
        for atom, error in zip(atoms, errors, strict=True)
    ]
    expected = sorted(zip(atoms[~np.array(beaten)], errors[~np.array(beaten)], strict=True))
    assert [(member.labelled_atoms, member.typical) for member in front.points] == expected
    assert all(member.point["degree"] != 8 for member in front.points)


def test_a_lucky_single_replica_is_no_member() -> None:
    ds = store(falling, scatter=0.05, dislocation=["screw"])
    lucky = (ds.degree == 6) & (ds.n_train == 4)
    ds["geometry_error"] = ds["geometry_error"].where(~lucky | (ds.replica == 0)).where(~lucky, 1e-4)
    ds["geometry_error"] = ds["geometry_error"].where(~lucky | (ds.replica == 0))
    front = front_of(next(iter(points_of(trials_of(ds, "geometry_error"), 0.95, 0.5))))
    assert all(member.typical > 1e-3 for member in front.points)
    assert "3 replicas or more" in front.reason


def test_nothing_measured_has_an_empty_front() -> None:
    ds = store(falling)
    ds["geometry_error"] = ds["geometry_error"] * np.nan
    for points in points_of(trials_of(ds, "geometry_error"), 0.95, 0.5):
        front = front_of(points)
        assert front.points == ()
        assert "no point" in front.reason
