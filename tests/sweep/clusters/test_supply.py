"""The watch over jobs, against a queue that does what queues do."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.clusters.batch.queue import Phase, QueueError
from sweep.clusters.errors import WorkersLostError
from tests.sweep.clusters.made_up_queue import Scene


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    scene = Scene(tmp_path)
    scene.supply.begin()
    return scene


def test_a_first_job_that_is_refused_is_the_users_to_hear(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.queue.refusal = "sbatch: error: Batch job submission failed: Invalid account"
    with pytest.raises(QueueError, match="Invalid account"):
        scene.supply.begin()


def test_a_queue_that_stays_closed_is_told_within_a_minute_in_its_own_words(scene: Scene) -> None:
    scene.pass_time(60)
    assert any("PENDING (Resources)" in line for line in scene.told)
    before = len(scene.told)
    scene.pass_time(3600)
    assert len(scene.told) == before, "the same words once"


def test_a_job_cancelled_while_it_waits_is_told_and_replaced(scene: Scene) -> None:
    scene.pass_time(10)
    assert scene.queue.submitted == 2
    scene.queue.end("1", "CANCELLED")
    scene.pass_time(10)
    assert scene.queue.submitted == 3
    assert any("job 1 ended before its worker was there: CANCELLED" in line for line in scene.told)


def test_a_lost_job_is_told_and_replaced(scene: Scene) -> None:
    scene.work("1")
    scene.pass_time(10)
    scene.work("2")
    scene.pass_time(10)
    scene.workers.discard("1")
    scene.queue.end("1", "NODE_FAIL")
    scene.pass_time(10)
    assert any("job 1 was lost: NODE_FAIL" in line for line in scene.told)
    assert scene.queue.submitted == 3


def test_a_job_that_the_queue_forgot_counts_while_its_worker_works(scene: Scene) -> None:
    """The controller gives a node up whose daemon died; the worker there goes on."""
    scene.work("1")
    scene.pass_time(10)
    scene.work("2")
    scene.queue.end("1", "NODE_FAIL")
    scene.pass_time(600)
    assert scene.queue.submitted == 2


def test_a_worker_near_its_walltime_is_replaced_before_it_has_gone(scene: Scene) -> None:
    scene.work("1")
    scene.pass_time(10)
    scene.work("2")
    scene.retiring.add("1")
    scene.pass_time(10)
    assert scene.queue.submitted == 3
    assert not scene.told
    scene.workers.discard("1")
    scene.queue.end("1", "COMPLETED")
    scene.pass_time(10)
    assert not scene.told, "nothing was lost"


def test_jobs_that_cannot_start_a_worker_end_the_run_with_their_log(scene: Scene) -> None:
    for number in range(1, 20):
        (scene.logs / f"job-{number}.log").write_text("module: command not found\n")

    def end_all() -> None:
        for _ in range(20):
            for job in list(scene.queue.listed.values()):
                if job.phase is Phase.WAITING:
                    scene.queue.end(job.number, "FAILED")
            scene.pass_time(10)

    with pytest.raises(WorkersLostError, match="module: command not found"):
        end_all()
    assert scene.queue.submitted < 10


def test_a_worker_that_never_reports_is_told_with_its_log_then_given_up(scene: Scene) -> None:
    (scene.logs / "job-1.log").write_text("no route to host\n")
    scene.queue.run("1")
    scene.pass_time(80)
    assert any("no route to host" in line and "interface" in line for line in scene.told)
    scene.pass_time(700)
    assert scene.queue.listed["1"].state == "CANCELLED"


def test_refusals_later_on_are_told_and_tried_again(scene: Scene) -> None:
    scene.work("1")
    scene.queue.refusal = "QOSMaxSubmitJobPerUserLimit"
    scene.pass_time(300)
    assert [line for line in scene.told if "QOSMax" in line] == [
        "a job was refused: QOSMaxSubmitJobPerUserLimit"
    ]
    scene.queue.refusal = ""
    scene.pass_time(60)
    assert scene.queue.submitted == 2


def test_without_any_job_and_refused_the_run_stops_in_the_queues_words(scene: Scene) -> None:
    scene.pass_time(10)
    scene.queue.refusal = "Invalid account"
    for number in ("1", "2"):
        scene.queue.end(number, "CANCELLED")
    with pytest.raises(WorkersLostError, match="Invalid account"):
        scene.pass_time(600)


def test_little_work_keeps_few_jobs(tmp_path: Path) -> None:
    scene = Scene(tmp_path, least=1, most=50, tasks=1)
    scene.supply.begin()
    scene.work("1")
    scene.pass_time(60)
    assert scene.queue.submitted == 1
    scene.tasks = 2
    scene.pass_time(10)
    assert scene.queue.submitted == 50


def test_jobs_without_work_are_let_go_in_silence(tmp_path: Path) -> None:
    scene = Scene(tmp_path, least=1, most=5)
    scene.supply.begin()
    scene.pass_time(10)
    for number in ("1", "2", "3", "4"):
        scene.work(number)
    scene.pass_time(10)
    scene.tasks = 2
    scene.pass_time(60)
    assert all(job.phase is not Phase.ENDED for job in scene.queue.listed.values()), (
        "work may be seconds away"
    )
    scene.pass_time(600)
    ended = {number for number, job in scene.queue.listed.items() if job.phase is Phase.ENDED}
    assert ended == {"3", "4", "5"}
    scene.workers -= ended
    scene.pass_time(600)
    assert scene.queue.submitted == 5
    assert not scene.told
    scene.tasks = 100
    scene.pass_time(10)
    assert scene.queue.submitted == 8


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["run", "work", "end", "lose", "retire", "refuse", "accept", "busy", "quiet"]),
        st.integers(0, 5),
    ),
    max_size=40,
)


@given(actions=ACTIONS, least=st.integers(1, 3), more=st.integers(0, 3))
def test_whatever_happens_there_are_never_more_jobs_than_asked_for(
    tmp_path_factory: pytest.TempPathFactory, actions: list[tuple[str, int]], least: int, more: int
) -> None:
    scene = Scene(tmp_path_factory.getbasetemp(), least=least, most=least + more)
    scene.supply.begin()
    for action, which in actions:
        going = [job.number for job in scene.queue.listed.values() if job.phase is not Phase.ENDED]
        number = going[which % len(going)] if going else ""
        if action in ("refuse", "accept"):
            scene.queue.refusal = "no" if action == "refuse" else ""
        elif action in ("busy", "quiet"):
            scene.tasks = 100 if action == "busy" else which
        elif number and action == "run":
            scene.queue.run(number)
        elif number and action == "work":
            scene.work(number)
        elif action == "retire":
            scene.retiring |= scene.workers & {number}
        elif number:
            scene.workers.discard(number)
            scene.queue.end(number, "CANCELLED" if action == "end" else "NODE_FAIL")
        try:
            scene.pass_time(10)
        except WorkersLostError:
            return
        going = [job.number for job in scene.queue.listed.values() if job.phase is not Phase.ENDED]
        assert len(set(going) - scene.retiring) <= least + more
        if not scene.queue.refusal:
            scene.pass_time(30)
            going = [job.number for job in scene.queue.listed.values() if job.phase is not Phase.ENDED]
            assert len(set(going) - scene.retiring) >= least
