"""Limits of kernels' calls: given, learned, and never so short that a second attempt fails by what was learned."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sweep.limits import CAP_S, ENOUGH, FLOOR_S, MULTIPLE, GivenLimits, KernelLimits
from sweep.stages import STAGES
from sweep.study.running import StageLimits, StageRanks

KERNEL, STAGE = "kernels.points:relax_point", "relaxations"


@given(st.lists(st.floats(1e-3, 1e4), max_size=2 * ENOUGH))
def test_a_learned_limit_is_far_above_every_call_so_far(seconds: list[float]) -> None:
    limits = KernelLimits(GivenLimits())
    for call in seconds:
        limits.learn(KERNEL, call)
    first, second = (limits.of(KERNEL, STAGE, attempt).seconds for attempt in (1, 2))
    if len(seconds) < ENOUGH:
        assert first == second == CAP_S
    else:
        assert first >= FLOOR_S
        assert all(first >= MULTIPLE * call for call in seconds)
        assert second >= max(first, CAP_S)
    assert limits.of("kernels.fitting:fit_block", "fits").seconds == CAP_S


def test_what_the_study_gives_counts() -> None:
    limits = KernelLimits(GivenLimits(50.0, {"fits": 7.0}))
    for _ in range(ENOUGH):
        limits.learn(KERNEL, 1000.0)
    assert {limits.of(KERNEL, STAGE, attempt).seconds for attempt in (1, 2)} == {50.0}
    assert limits.of("kernels.fitting:fit_block", "fits").seconds == 7.0


def test_every_stage_may_have_a_limit_and_ranks() -> None:
    assert list(StageLimits.model_fields) == list(StageRanks.model_fields) == list(STAGES)
    assert StageRanks(equilibria=2).named == {"equilibria": 2}
