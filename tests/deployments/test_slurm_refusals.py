"""What a site refuses, on a real SLURM cluster."""

from pathlib import Path

import pytest

from tests.deployments.slurm_runs import write_cluster
from tests.small_study import run, write_study


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("partition: main", "partition: nowhere"), "invalid partition specified: nowhere"),
        (("ranks: 1", "ranks: 64"), "Requested node configuration is not available"),
        (("partition: main", "directives: [--frobnicate]"), "unrecognized option '--frobnicate'"),
    ],
)
def test_what_the_site_refuses_is_refused_in_its_words(
    slurm: Path, tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    study = write_study(tmp_path)
    status, output, errors = run(study, "--cluster", write_cluster(tmp_path, change))
    assert status == 2, errors
    assert said in errors
    assert "Traceback" not in output + errors
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cluster.yaml", "small-iron.yaml"]
