"""Which part of a store is drawn, and what of it counts."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from sweep.figures import FigureError
from sweep.figures.slices import block_dims, fullest_slice, measured, selected
from sweep.figures.weightings import best_weighting, weight_line
from sweep.variables import Status
from tests.sweep.made_up import made_up, marked


def by_weights(ds: xr.Dataset) -> xr.DataArray:
    return 0.1 * (1 + (np.log10(ds["weight_virial"] + 0.1) - 0.0) ** 2) / ds["weight_forces"] ** 0.5


def test_the_fullest_slice_has_the_largest_labels() -> None:
    ds = made_up()
    shown = fullest_slice(ds, "geometry_error", ["domain_radius"])
    assert shown["simulation_radius"].values.tolist() == [50.0]
    assert shown["degree"].values.tolist() == [8]
    assert shown.sizes["domain_radius"] == 4
    assert shown.sizes["dislocation"] == 2


def test_a_study_under_way_is_drawn_where_it_has_come_to() -> None:
    ds = made_up()
    ds = marked(ds, ds["simulation_radius"] == 50.0, Status.pending)
    assert fullest_slice(ds, "geometry_error", [])["simulation_radius"].values.tolist() == [25.0]


def test_a_few_failures_change_no_slice() -> None:
    ds = made_up()
    one = (
        (ds["simulation_radius"] == 50.0)
        & (ds["replica"] == 0)
        & (ds["weight_virial"] == 1)
        & (ds["degree"] == 8)
    )
    ds = marked(ds, one, Status.failed)
    assert fullest_slice(ds, "geometry_error", [])["simulation_radius"].values.tolist() == [50.0]


def test_labels_need_not_be_sorted() -> None:
    ds = made_up(degree=[8, 10, 6])
    assert fullest_slice(ds, "geometry_error", [])["degree"].values.tolist() == [10]


def test_further_dimensions_are_dimensions_of_blocks() -> None:
    ds = made_up(order=[2, 3])
    assert block_dims(ds)[-1] == "order"
    assert fullest_slice(ds, "geometry_error", [])["order"].values.tolist() == [3]


@pytest.mark.parametrize(
    "status", [Status.failed, Status.other_minimum, Status.unconverged, Status.estimated]
)
def test_only_relaxed_points_are_measurements(status: Status) -> None:
    ds = made_up()
    ds = marked(ds, ds["replica"] == 1, status, geometry_error=50.0)
    error = measured(ds, "geometry_error")
    assert error.sel(replica=1).isnull().all()
    assert error.sel(replica=0).notnull().all()
    # what the fit gives is known all the same, unless it failed
    assert bool(measured(ds, "geometry_estimate").sel(replica=1).notnull().all()) == (status != Status.failed)


def test_of_two_kinds_of_held_out_data_the_core_is_taken() -> None:
    ds = made_up()
    xr.testing.assert_allclose(
        measured(ds, "rmse_forces"), ds["rmse_forces"].sel(config_kind="core", drop=True)
    )


def test_labels_are_selected_as_numbers_or_text() -> None:
    ds = made_up()
    for label in (8, 8.0, "8"):
        assert selected(ds, {"degree": label})["degree"].values.tolist() == [8]
    assert selected(ds, {"dislocation": "edge"}).sizes["dislocation"] == 1
    with pytest.raises(FigureError, match="degree has 6, 8"):
        selected(ds, {"degree": 7})
    with pytest.raises(FigureError, match="no such dimension"):
        selected(ds, {"colour": "red"})


def test_a_store_without_values_says_what_it_has() -> None:
    ds = made_up()
    ds = marked(ds, xr.ones_like(ds["status"], dtype=bool), Status.pending)
    with pytest.raises(FigureError, match=f"{ds['status'].size} pending; run the study"):
        fullest_slice(ds, "geometry_error", [])


def test_the_best_weighting_is_found() -> None:
    values = measured(made_up(by_weights), "geometry_error")
    assert best_weighting(values) == {"weight_energy": 0, "weight_forces": 1, "weight_virial": 1}


def test_a_weighting_with_gaps_is_not_the_best_for_having_them() -> None:
    ds = made_up(by_weights)
    # where errors are large, the best of all weightings has none
    gaps = (ds["weight_virial"] == 10) & (ds["replica"] > 0)
    values = measured(ds, "geometry_error").where(~gaps)
    values = values.where(ds["weight_virial"] != 10, 1e-3).where(~gaps)
    assert best_weighting(values)["weight_virial"] == 1


def test_a_line_of_weightings_goes_through_the_best() -> None:
    weights = [0.0, *np.geomspace(0.01, 100, 41)]
    values = measured(made_up(by_weights, weight_virial=weights), "geometry_error")
    line = weight_line(values, most=5)
    drawn = [weights[at] for at in line.positions]
    assert len(drawn) == 5
    assert drawn == sorted(drawn)
    assert {0.0, 100.0} < set(drawn)
    best = weights[
        int(np.argmin([by_weights(xr.Dataset({"weight_virial": w, "weight_forces": 3.0})) for w in weights]))
    ]
    assert np.isclose(drawn, best, rtol=0.6).any()
    assert line.fixed == {"weight_energy": 0, "weight_forces": 1}
    assert "forces weight 3" in line.note(values)
    assert line.choose(values).sizes["weight_virial"] == 5


def test_one_weighting_is_a_line_of_one() -> None:
    values = measured(made_up(weight_forces=[1.0], weight_virial=[1.0]), "geometry_error")
    line = weight_line(values)
    assert line.names(values) == [""]
    assert line.choose(values).sizes[line.dim] == 1
