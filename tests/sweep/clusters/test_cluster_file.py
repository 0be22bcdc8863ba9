"""Cluster files: the presets are valid, and what is wrong with a file is said in words."""

import subprocess
from pathlib import Path

import pytest

from sweep.clusters import ClusterChoice, ClusterError
from sweep.clusters.batch.cluster_file import ClusterFile, ClusterFileError, load_cluster_file
from sweep.clusters.batch.script import slurm_script

ROOT = Path(__file__).resolve().parents[3]
PRESETS = sorted((ROOT / "deployments" / "slurm").glob("*.yaml"))


def test_there_are_presets() -> None:
    assert {"one-node.yaml", "many-small-jobs.yaml", "few-large-jobs.yaml"} <= {path.name for path in PRESETS}


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.name)
def test_a_preset_is_valid_and_its_script_is_shell(path: Path) -> None:
    script = slurm_script(
        load_cluster_file(path), "farfield-x", Path("/a folder/cluster"), Path("/a folder/logs")
    )
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("walltime: 01:00:00", "scheduler is missing; give slurm"),
        ("{scheduler: pbs, walltime: 01:00:00}", "scheduler is 'pbs'; give slurm"),
        ("{scheduler: slurm}", "walltime is missing"),
        ("{scheduler: slurm, walltime: 60}", "walltime is 60; give a time such as 04:00:00"),
        ("{scheduler: slurm, walltime: 01:00:00, partitoin: x}", "partitoin is not a key of a cluster file"),
        ("{scheduler: slurm, walltime: 01:00:00, jobs: {min: 3, max: 2}}", "jobs has min 3 above max 2"),
        ("{scheduler: slurm, walltime: 01:00:00, launcher: mpirun}", "launcher is 'mpirun' is no launcher"),
        ("{scheduler: slurm, walltime: 01:00:00, directives: [qos=long]}", "directives[0] is 'qos=long'"),
        ("{scheduler: slurm, walltime: 01:00:00, directives: ['--time=9']}", "is set by walltime"),
        ("{scheduler: slurm, walltime: 01:00:00, memory_per_rank: 2}", "such as 2G"),
        ("{scheduler: slurm, walltime: 01:00:00, modules: mpich}", "modules"),
        ("{scheduler: slurm, walltime: 01:00:00, ranks: 3, nodes: 2}", "does not spread evenly over 2 nodes"),
        ("{scheduler: slurm, walltime: 01:00:00, ranks: 4, nodes: 2}", "interface is missing"),
        ("scheduler: [", "not valid YAML"),
    ],
)
def test_what_is_wrong_is_said_in_words(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "cluster.yaml"
    path.write_text(text)
    with pytest.raises(ClusterFileError) as refused:
        load_cluster_file(path)
    assert said in str(refused.value)
    assert str(path) in str(refused.value)


def test_what_a_cluster_file_says_is_not_said_twice(tmp_path: Path) -> None:
    for choice, said in (
        (ClusterChoice("slurm.yaml", ranks=2), "--ranks 2"),
        (ClusterChoice("slurm.yaml", workers=2), "--workers 2"),
        (ClusterChoice("slurm.yaml", certificates=tmp_path), "--certificates"),
        (ClusterChoice("slurm.yaml"), "no such file"),
    ):
        with pytest.raises(ClusterError, match=said):
            choice.cluster()


def test_no_secret_stands_in_a_job_script() -> None:
    script = slurm_script(
        ClusterFile(scheduler="slurm", walltime="01:00:00"),
        "farfield-x",
        Path("/run/cluster"),
        Path("/run/logs"),
    )
    assert script.splitlines()[-1].endswith("-P -m sweep.clusters.batch /run/cluster")
