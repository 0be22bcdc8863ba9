"""Each hypothesis on stores made so that it holds, made so that it does not, and too small to say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xarray as xr

from sweep.hypotheses import (
    examine,
    falls_with_domain_radius,
    follows_forces,
    follows_virials,
    grows_as_predicted,
    mismatch_explains_departures,
    mismatch_rather_than_forces,
    proportional_to_forces,
)
from sweep.variables import Status

LABELS: dict[str, Any] = {
    "dislocation": ["screw", "edge"],
    "simulation_radius": [20.0, 40.0, 80.0, 160.0],
    "degree": [6, 8, 10],
    "domain_radius": [6.0, 8.0, 10.0, 13.0, 16.0, 20.0],
    "n_train": [2, 4, 8, 16, 32],
    "replica": [0, 1, 2, 3],
    "weight_energy": [1.0],
    "weight_forces": [1.0],
    "weight_virial": [0.0, 1.0],
}


def store(law: Callable[[xr.Dataset], xr.DataArray], **labels: Any) -> xr.Dataset:
    """A store of relaxed points: force errors and mismatches that vary from fit to fit, geometry errors by a law."""
    labels = {**LABELS, **labels}
    dims = tuple(labels)
    random = np.random.default_rng(0)
    fits = tuple(1 if name in ("dislocation", "simulation_radius") else len(labels[name]) for name in dims)
    shape = tuple(len(values) for values in labels.values())

    def varying(typical: float) -> np.ndarray:
        # one fit serves both dislocations and every simulated radius
        return np.broadcast_to(typical * np.exp(0.7 * random.normal(size=fits)), shape).copy()

    ds = xr.Dataset(
        {
            "far_field_mismatch": (dims, varying(1e-3)),
            "rmse_forces": ((*dims, "config_kind"), np.stack([varying(0.1), varying(0.05)], axis=-1)),
            "rmse_virial": (
                (*dims, "config_kind"),
                np.stack([varying(0.02), np.full(shape, np.nan)], axis=-1),
            ),
            "status": (dims, np.full(shape, Status.relaxed, dtype=np.uint8)),
        },
        coords={**labels, "config_kind": ["bulk", "core"]},
    )
    atoms = ds.n_train * (54 + 3 * ds.domain_radius**2)
    ds["labelled_atoms"] = atoms.broadcast_like(ds["status"]).transpose(*dims)
    scatter = xr.DataArray(np.exp(0.1 * random.normal(size=shape)), dims=dims)
    ds["geometry_error"] = (law(ds) * scatter).transpose(*dims)
    return ds


def core(ds: xr.Dataset) -> xr.DataArray:
    return ds["rmse_forces"].sel(config_kind="core", drop=True)


def by_mismatch(ds: xr.Dataset) -> xr.DataArray:
    return 2 * ds["far_field_mismatch"] ** 0.5


def by_forces(ds: xr.Dataset) -> xr.DataArray:
    return 3 * core(ds)


def by_both(ds: xr.Dataset) -> xr.DataArray:
    return core(ds) * ds["far_field_mismatch"] ** 0.25


def verdicts(found: xr.Dataset) -> set[str]:
    return set(found["verdict"].values.ravel().tolist())


@pytest.mark.parametrize(
    ("test", "law", "verdict"),
    [
        (mismatch_rather_than_forces, by_mismatch, "supported"),
        (mismatch_rather_than_forces, by_forces, "contradicted"),
        (proportional_to_forces, by_forces, "supported"),
        (proportional_to_forces, lambda ds: by_forces(ds) ** 2, "contradicted"),
        (mismatch_explains_departures, by_both, "supported"),
        (mismatch_explains_departures, lambda ds: by_forces(ds) / by_mismatch(ds), "contradicted"),
    ],
)
def test_what_errors_follow_is_seen(
    test: Callable[[xr.Dataset], xr.Dataset], law: Callable[[xr.Dataset], xr.DataArray], verdict: str
) -> None:
    found = test(store(law))
    assert verdicts(found) == {verdict}
    assert found["value"].dims == ("dislocation", "simulation_radius")
    assert "in 4 replicas" in found["data"].values[0, 0]


@pytest.mark.parametrize(("forces", "virials"), [(1.0, 0.0), (0.5, 0.5), (-1.0, 1.0)])
def test_each_fit_error_is_seen_at_a_fixed_other(forces: float, virials: float) -> None:
    """Even where both vary together: the virial error here is the force error times something."""

    def law(ds: xr.Dataset) -> xr.DataArray:
        ds["rmse_virial"].values[..., 0] *= core(ds).values ** 0.8
        return core(ds) ** forces * ds["rmse_virial"].sel(config_kind="bulk", drop=True) ** virials

    ds = store(law)
    for test, slope in ((follows_forces, forces), (follows_virials, virials)):
        found = test(ds)
        np.testing.assert_allclose(found["value"], slope, atol=0.05)
        if slope:
            assert verdicts(found) == {"supported" if slope > 0 else "contradicted"}


def test_fit_errors_that_are_one_another_cannot_be_told_apart() -> None:
    ds = store(by_forces)
    ds["rmse_virial"].values[..., 0] = 0.3 * core(ds).values
    assert verdicts(follows_forces(ds)) == {"cannot tell"}
    assert "vary together, or not at all" in follows_forces(ds)["data"].values[0, 0]


@pytest.mark.parametrize("test", [follows_forces, mismatch_rather_than_forces])
def test_a_small_study_is_told_how_many_fits_a_replica_lacks(
    test: Callable[[xr.Dataset], xr.Dataset],
) -> None:
    ds = store(by_forces)
    kept = ds["geometry_error"].notnull() & (ds["replica"] < 0)
    kept[{name: 0 for name in kept.dims if name != "replica"}] = True
    found = test(ds.assign(geometry_error=ds["geometry_error"].where(kept)))
    assert verdicts(found) == {"cannot tell"}
    assert "the most is 1" in found["data"].values.ravel()[0]


def test_errors_that_follow_neither_have_a_statistic_near_zero() -> None:
    found = mismatch_rather_than_forces(store(lambda ds: xr.ones_like(core(ds))))
    assert float(abs(found["value"]).max()) < 0.1


def test_an_error_that_falls_with_the_domain_radius() -> None:
    found = falls_with_domain_radius(store(lambda ds: 1 / ds["domain_radius"] + 0 * core(ds)))
    assert verdicts(found) == {"supported"}
    assert abs(float(found["value"].mean()) - 1) < 0.05
    assert "labelled atoms" in found["data"].values.ravel()[0]
    rising = falls_with_domain_radius(store(lambda ds: ds["domain_radius"] + 0 * core(ds)))
    assert verdicts(rising) == {"contradicted"}


def test_more_data_are_not_taken_for_a_larger_domain() -> None:
    """An error that falls with the number of labelled atoms alone has no rate at a fixed number of them."""
    found = falls_with_domain_radius(store(lambda ds: ds["labelled_atoms"] ** -1.0))
    assert abs(float(found["value"].mean())) < 0.05
    assert float((found["verdict"] == "cannot tell").mean()) > 0.8
    growing = store(lambda ds: ds["labelled_atoms"] ** -1.0, n_train=[4])
    refused = falls_with_domain_radius(growing)
    assert verdicts(refused) == {"cannot tell"}
    assert "extend n_train" in refused["data"].item()


def test_dislocations_with_larger_clusters_do_not_bend_the_rates_of_others() -> None:
    """Each dislocation has a number of labelled atoms of its own: the edge's clusters hold 2.8 times the screw's."""
    ds = store(lambda ds: ds["degree"] * 1.0, n_train=[2, 4, 8, 16, 32, 64, 128])
    cluster = ds["domain_radius"] ** 2 * xr.where(ds["dislocation"] == "edge", 0.7, 0.25)
    ds["labelled_atoms"] = (ds["n_train"] * (216 + cluster)).broadcast_like(ds["status"])
    law = ds["labelled_atoms"] ** -0.5 / ds["domain_radius"]
    scatter = np.exp(0.01 * np.random.default_rng(3).normal(size=law.shape))
    ds["geometry_error"] = (law * scatter).transpose(*ds["status"].dims)
    together = falls_with_domain_radius(ds)
    np.testing.assert_allclose(together["value"], 1.0, atol=0.06)
    for name in ("screw", "edge"):
        alone = falls_with_domain_radius(ds.sel(dislocation=[name]))
        xr.testing.assert_identical(together.sel(dislocation=[name]), alone)


def test_a_dislocation_that_cannot_be_tested_leaves_the_others_theirs() -> None:
    ds = store(lambda ds: 1 / ds["domain_radius"] + 0 * core(ds))
    ds["labelled_atoms"] = ds["labelled_atoms"].where(ds["dislocation"] == "screw")
    found = falls_with_domain_radius(ds)
    assert verdicts(found.sel(dislocation="screw")) == {"supported"}
    assert verdicts(found.sel(dislocation="edge")) == {"cannot tell"}
    assert np.isnan(found["value"].sel(dislocation="edge")).all()
    assert "labelled atoms is known" in found["data"].sel(dislocation="edge").values.ravel()[0]


@pytest.mark.parametrize(
    ("share", "verdict"), [(1.0, "supported"), (3.0, "contradicted"), (0.0, "contradicted")]
)
def test_growth_with_the_simulated_radius(share: float, verdict: str) -> None:
    def law(ds: xr.Dataset) -> xr.DataArray:
        return (0.01 + share * ds["far_field_mismatch"] * np.log(ds["simulation_radius"])) ** 0.5

    quiet = store(law)
    quiet["geometry_error"] = law(quiet) * np.exp(
        0.01 * np.random.default_rng(1).normal(size=quiet["status"].shape)
    )
    found = grows_as_predicted(quiet)
    assert found["value"].dims == ("dislocation", "weight_energy", "weight_forces", "weight_virial")
    assert verdicts(found) == {verdict}
    np.testing.assert_allclose(found["value"], share, atol=0.1)


def test_points_that_are_no_measurements_do_not_count() -> None:
    ds = store(by_forces)
    astray = ds["replica"] == 1
    ds["status"] = ds["status"].where(~astray, Status.other_minimum).astype(np.uint8)
    ds["geometry_error"] = ds["geometry_error"].where(~astray, 50.0)
    assert verdicts(proportional_to_forces(ds)) == {"supported"}
    assert "in 3 replicas" in proportional_to_forces(ds)["data"].values[0, 0]


SMALL: dict[str, Any] = {
    "simulation_radius": [25.0],
    "degree": [6],
    "domain_radius": [6.0, 8.0],
    "n_train": [4],
    "replica": [0],
    "weight_virial": [1.0],
}


def test_a_store_too_small_cannot_tell_and_says_why() -> None:
    findings = examine(store(by_forces, **SMALL))
    for name, found in findings.items():
        assert verdicts(found) == {"cannot tell"}, name
        assert (found["data"] != "").all(), name
        assert found.attrs["claim"]
    assert "no fit without virials" in findings["H1"]["data"].item()
    assert "2 radii between 6 and 20" in findings["H3"]["data"].item()
    assert findings["H4"]["data"].item().startswith("1 radius between 20 and 160")


def test_one_replica_gives_no_interval() -> None:
    found = proportional_to_forces(store(by_forces, replica=[0]))
    assert np.isfinite(found["value"]).all()
    assert np.isnan(found["low"]).all()
    assert verdicts(found) == {"cannot tell"}


def test_nothing_computed_yet() -> None:
    ds = store(by_forces)
    for name in ("geometry_error", "far_field_mismatch", "rmse_forces", "rmse_virial", "labelled_atoms"):
        ds[name] = ds[name] * np.nan
    ds["status"] = xr.full_like(ds["status"], Status.pending)
    for name, found in examine(ds).items():
        assert verdicts(found) == {"cannot tell"}, name
