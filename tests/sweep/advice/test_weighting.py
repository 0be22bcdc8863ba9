"""The weighting to regret least, what observations do, and what leaving out a dislocation costs, on known laws."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from sweep.advice import advise
from sweep.advice.observations import Effect, effects_of
from sweep.advice.regret import best_weighting, regrets
from sweep.advice.transfer import transfers_of
from sweep.advice.trials import Trials, trials_of
from sweep.variables import Status
from tests.sweep.advice.made import falling, marked, store

VIRIAL = {"weight_energy": [1.0], "weight_forces": [1.0]}


def trials(ds: xr.Dataset) -> Trials:
    return trials_of(ds, "geometry_error")


# Of each dislocation, by virial weight: what each likes the other bears badly, and 1 is near the best of both.
FACTORS = {"screw": {0.0: 1.0, 1.0: 1.08, 10.0: 2.0}, "edge": {0.0: 3.0, 1.0: 1.12, 10.0: 1.0}}


def at_odds(ds: xr.Dataset) -> xr.DataArray:
    names, weights = ds.dislocation.values.tolist(), ds.weight_virial.values.tolist()
    factors = [[FACTORS[name][weight] for weight in weights] for name in names]
    return falling(ds) * xr.DataArray(factors, dims=("dislocation", "weight_virial"))


def test_the_compromise_is_regretted_least() -> None:
    best = best_weighting(trials(store(at_odds, scatter=0.01, **VIRIAL)), 0.95)
    assert best.weighting == {"weight_energy": 1.0, "weight_forces": 1.0, "weight_virial": 1.0}
    assert best.simulated == {"dislocation": "edge", "simulation_radius": 40.0}
    assert best.low <= 1.12 <= best.high
    assert best.regret == pytest.approx(1.12, rel=0.01)
    assert best.second is not None
    assert best.second["weight_virial"] == 10.0
    assert best.second_ratio == pytest.approx(2.0 / 1.12, rel=0.02)
    assert (best.same, best.replicas) == (5, 5)
    # 2 dislocations and 12 recipes
    assert best.slices == 24


def test_regret_is_not_flattered_by_the_luck_of_the_best() -> None:
    """Where no weighting is better than another, none is regretted: the interval holds 1 in about 95 of 100 stores."""
    holds = 0
    for seed in range(60):
        ds = store(falling, scatter=0.3, seed=seed, degree=[8], domain_radius=[6.0])
        best = best_weighting(trials(ds), 0.95)
        holds += best.low <= 1 <= best.high
    assert holds >= 50


@settings(max_examples=30)
@given(st.integers(0, 1000))
def test_regrets_do_not_depend_on_the_scale_of_a_slice(seed: int) -> None:
    random = np.random.default_rng(seed)
    means = random.normal(size=(2, 3, 4, 5))
    means[random.random(means.shape) < 0.1] = np.inf
    means[random.random(means.shape) < 0.1] = np.nan
    shifted = means + random.normal(size=(2, 3, 4, 1))
    np.testing.assert_allclose(regrets(shifted), regrets(means))
    assert not (regrets(means) < 0).any()


def test_a_few_failures_decide_nothing_and_many_do() -> None:
    ds = store(at_odds, scatter=0.01, **VIRIAL)
    few = marked(ds, Status.failed, weight_virial=1.0, degree=6, replica=0)
    many = marked(ds, Status.failed, weight_virial=1.0, domain_radius=8.0)
    more = marked(many, Status.failed, weight_virial=1.0, degree=6)
    assert best_weighting(trials(few), 0.95).weighting["weight_virial"] == 1.0  # type: ignore[index]
    assert best_weighting(trials(more), 0.95).weighting["weight_virial"] == 10.0  # type: ignore[index]


def test_one_weighting_is_no_choice() -> None:
    best = best_weighting(trials(store(falling, weight_virial=[1.0], **VIRIAL)), 0.95)
    assert best.weighting is None
    assert "nothing to choose from" in best.reason
    gone = best_weighting(
        trials(store(falling, weight_virial=None, weight_energy=None, weight_forces=None)), 0.95
    )
    assert gone.reason == "no weights to choose from"


def test_one_replica_gives_a_choice_and_says_that_it_may_be_luck() -> None:
    best = best_weighting(trials(store(at_odds, scatter=0.01, replica=[0], **VIRIAL)), 0.95)
    assert best.weighting is not None
    assert np.isnan(best.regret)
    assert "one replica" in best.reason


def effects(ds: xr.Dataset) -> dict[tuple[str, str | None], Effect]:
    found = effects_of(trials(ds), 0.95)
    return {(effect.observation, effect.simulated.get("dislocation")): effect for effect in found}


def with_observations(ds: xr.Dataset) -> xr.DataArray:
    """Forces halve the error; virials of weight 1 take off a tenth or a third; energies do harm."""
    virial = xr.where(ds.dislocation == "edge", 2 / 3, 0.9)
    return (
        falling(ds)
        * xr.where(ds.weight_forces > 0, 0.5, 1.0)
        * xr.where(ds.weight_virial == 1, virial, 1.0)
        * xr.where(ds.weight_energy > 0, 1.2, 1.0)
    )


def test_what_observations_do_is_found_again() -> None:
    found = effects(store(with_observations, scatter=0.05))
    truth = {"forces": (0.5, 0.5), "virial": (0.9, 2 / 3), "energy": (1.2, 1.2)}
    for observation, (screw, edge) in truth.items():
        both = (screw * edge) ** 0.5
        for dislocation, ratio in (("screw", screw), ("edge", edge), (None, both)):
            effect = found[observation, dislocation]
            assert effect.ratio == pytest.approx(ratio, rel=0.06)
            assert effect.verdict == ("helps" if ratio < 1 else "hurts")
            assert effect.low < effect.ratio < effect.high
    assert advise(store(with_observations, scatter=0.05), 0.1).add_next == "forces"


def test_more_weights_to_choose_from_are_no_help() -> None:
    """Twenty weights above 0 that do nothing: the best of them has luck that the one without has not."""
    weights = [0.0, *np.geomspace(0.01, 100, 20).tolist()]
    wrong = 0
    for seed in range(60):
        ds = store(
            falling,
            scatter=0.3,
            seed=seed,
            weight_virial=weights,
            dislocation=["screw"],
            degree=[8],
            **VIRIAL,
        )
        effect = effects(ds)["virial", "screw"]
        wrong += effect.verdict != "cannot tell"
    # 5 % of 60, and what chance adds to it once in a thousand
    assert wrong <= 9


def test_an_axis_without_a_zero_or_without_more_cannot_tell() -> None:
    found = effects(store(falling, weight_energy=[1.0], weight_forces=[0.0]))
    assert "no weight of 0" in found["energy", None].reason
    assert "no weight above 0" in found["forces", None].reason
    assert found["energy", None].verdict == "cannot tell"


def test_one_replica_cannot_tell_what_observations_do() -> None:
    effect = effects(store(with_observations, replica=[0]))["virial", "screw"]
    assert (effect.verdict, effect.replicas) == ("cannot tell", 0)
    assert "two replicas" in effect.reason
    assert advise(store(with_observations, replica=[0]), 0.1).add_next is None


def test_a_choice_that_does_not_carry_over() -> None:
    screw, edge = transfers_of(trials(store(at_odds, scatter=0.01, **VIRIAL)), 0.95)
    assert (screw.left_out, edge.left_out) == ("screw", "edge")
    assert screw.weighting["weight_virial"] == 10.0  # type: ignore[index]
    assert screw.own["weight_virial"] == 0.0  # type: ignore[index]
    assert (screw.verdict, edge.verdict) == ("worse", "worse")
    assert screw.low <= 2.0 <= screw.high
    assert edge.low <= 3.0 <= edge.high


def test_a_choice_that_carries_over() -> None:
    def alike(ds: xr.Dataset) -> xr.DataArray:
        return falling(ds) * xr.where(ds.weight_virial == 1, 0.5, 1.0)

    for transfer in transfers_of(trials(store(alike, scatter=0.02, **VIRIAL)), 0.95):
        assert transfer.verdict == "as good"
        assert transfer.weighting == transfer.own
        assert transfer.ratio == pytest.approx(1.0)


def test_one_dislocation_leaves_none_to_choose_by() -> None:
    (transfer,) = transfers_of(trials(store(at_odds, dislocation=["screw"], **VIRIAL)), 0.95)
    assert transfer.verdict == "cannot tell"
    assert "takes two" in transfer.reason


def test_nothing_measured_is_said_everywhere() -> None:
    ds = store(falling)
    ds["geometry_error"] = ds["geometry_error"] * np.nan
    ds["status"] = xr.full_like(ds["status"], Status.pending)
    advice = advise(ds, 0.1)
    assert {found.verdict for found in advice.cheapest} == {"cannot tell"}
    assert advice.weighting.weighting is None
    assert {effect.verdict for effect in advice.effects} == {"cannot tell"}
    assert {transfer.verdict for transfer in advice.transfers} == {"cannot tell"}
    assert advice.add_next is None
    assert "no point has a value" in str(advice)
