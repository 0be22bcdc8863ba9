"""A study that trains in domains of its own, end to end."""

from pathlib import Path

import sweep
from sweep.variables import Status
from tests.small_study import SMALLER, run

STUDY = (
    SMALLER.replace("core: {perturbation: 0.05}", "core: {perturbation: 0.05, source: own}")
    .replace(", comparison_radius: 36.0", "")
    .replace("weight_virial: [0.0, 1.0]", "weight_virial: [1.0]")
)


def test_own_domains_end_to_end(tmp_path: Path) -> None:
    assert "source: own" in STUDY
    study = tmp_path / "own.yaml"
    study.write_text(STUDY)
    status, output, errors = run(study)
    assert status == 0, output + errors
    dataset = sweep.open_store(tmp_path / "small-iron.zarr").load()
    assert bool((dataset["status"] == Status.relaxed).all())
    # a domain of 7 Å in a cylinder of 12 Å: a tenth of an ångström or so, and not nothing
    assert 0.01 < float(dataset["training_truncation_error"].squeeze()) < 0.5
    assert 0.0 < float(dataset["geometry_error"].squeeze()) < 1.0
    assert float(dataset["rmse_forces"].max()) < 1.0
