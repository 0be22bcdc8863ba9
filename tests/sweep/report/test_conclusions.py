"""What the report says in words: no more than its intervals allow, on stores of known laws."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from sweep.report.advised import advised
from sweep.report.conclusion import Conclusion
from sweep.report.conclusions import conclusions
from sweep.report.examined import MOST_LISTED, examined
from sweep.report.provenance import provenance_of
from sweep.report.slices import MOST_ROWS, views
from sweep.variables import Status
from tests.sweep.made_up import STUDY, made_up, marked

ONE = {"dislocation": ["screw"]}


def falling(ds: xr.Dataset) -> xr.DataArray:
    return 1 / ds["domain_radius"] / ds["weight_forces"]


def about(found: list[Conclusion], subject: str) -> Conclusion:
    return next(one for one in found if subject in one.subject)


def test_an_error_that_falls_is_said_to_fall_with_its_power() -> None:
    one = about(conclusions(made_up(falling, **ONE)), "Geometry error against domain radius")
    assert one.text.startswith("The geometry error falls with the domain radius, with the power ")
    assert "with 95 % confidence" in one.text
    assert "3 replicas, 4 values of domain_radius" in one.basis


def test_an_error_that_grows_is_said_to_grow_by_the_same_power() -> None:
    text = about(
        conclusions(made_up(lambda ds: 1 / falling(ds), **ONE)), "Geometry error against domain"
    ).text
    assert text.startswith("The geometry error grows with the domain radius, with the power ")
    low, high = text.partition("(")[2].partition(" with 95")[0].split(" to ")
    assert 0 < float(low) < 1 < float(high)


def test_noise_is_not_said_to_fall() -> None:
    text = about(conclusions(made_up(scatter=0.5, **ONE)), "Geometry error against domain").text
    assert "cannot be told" in text


def test_a_rate_without_an_interval_concludes_nothing() -> None:
    ds = made_up(falling, replica=[0], domain_radius=[6.0, 8.0, 12.0], **ONE)
    ds = marked(ds, ds["domain_radius"] == 12.0, Status.failed)
    assert "nothing can be concluded" in about(conclusions(ds), "against domain").text


def test_each_dislocation_is_named_where_there_are_several() -> None:
    text = about(conclusions(made_up(falling)), "Geometry error against domain").text
    assert "Screw: the geometry error falls" in text
    assert "Edge: the geometry error falls" in text


def test_the_lowest_error_is_that_of_the_data_and_says_where() -> None:
    ds = made_up(falling, scatter=0.01, **ONE)
    one = about(conclusions(ds), "Lowest geometry error, screw")
    median = float(ds["geometry_error"].median("replica").min())
    assert one.text.startswith(f"{median:.3g} Å (")
    for word in ("domain radius 16 Å", "forces weight 3"):
        assert word in one.text
    assert "biased low" in one.basis


def test_only_a_median_that_was_not_chosen_has_a_confidence() -> None:
    """The interval of the lowest of many medians misses that median's true value far more often than it says."""
    many = about(conclusions(made_up(falling, **ONE)), "Lowest geometry error, screw")
    assert "confidence" not in many.text
    assert "and so is its interval" in many.basis
    labels = {"simulation_radius": [25.0], "degree": [8], "domain_radius": [6.0]}
    weights = {"weight_forces": [1.0], "weight_virial": [1.0]}
    one = about(conclusions(made_up(falling, **ONE, **labels, **weights)), "Lowest geometry error, screw")
    assert "which holds the median with 75 % confidence" in one.text
    assert "biased low" not in one.basis


def test_points_are_counted_and_an_unfinished_study_says_so() -> None:
    ds = made_up()
    ds = marked(ds, (ds["replica"] == 0) & (ds["degree"] == 6), Status.pending)
    ds = marked(ds, (ds["replica"] == 1) & (ds["degree"] == 6), Status.failed)
    text = about(conclusions(ds), "Points").text
    assert f"{ds['status'].size:,} points" in text
    assert "not finished: 17 %" in text
    assert "Points that failed are in no error" in text
    assert "sweep status --failures" in text
    astray = marked(made_up(), made_up()["replica"] == 0, Status.other_minimum)
    astray = marked(astray, astray["replica"] == 1, Status.unconverged)
    text = about(conclusions(astray), "Points").text
    assert "Points that did not converge or ended in another minimum are in no error" in text
    assert "--failures" not in text


def test_saddles_are_told() -> None:
    ds = made_up()
    assert not [one for one in conclusions(ds) if "Cores" in one.subject]
    ds = marked(ds, ds["replica"] == 0, Status.relaxed, relative_stiffness=-0.1)
    assert f"{ds['status'].size // 3:,} of {ds['status'].size:,}" in about(conclusions(ds), "Cores").text


def test_advice_is_quoted_with_a_tolerance_and_without() -> None:
    def law(ds: xr.Dataset) -> xr.DataArray:
        return falling(ds) * xr.where(ds["weight_virial"] > 0, 0.25, 1.0)

    ds = made_up(law, scatter=0.05, **ONE)
    plain = advised(ds)
    assert plain is not None
    assert plain.question == ""
    assert any("virial: helps, error times 0.2" in line for line in plain.sentences)
    asked = advised(ds, 1.0)
    assert asked is not None
    assert "at most 1 Å" in asked.question
    assert asked.sentences[-len(plain.sentences) :] == plain.sentences
    assert "labelled atoms" in asked.sentences[0]
    with pytest.raises(ValueError, match="tolerance"):
        advised(ds, -1.0)


def test_truncation_errors_are_compared_with_theory() -> None:
    radii = np.array([20.0, 30.0, 40.0, 60.0, 80.0])
    ds = made_up(simulation_radius=radii.tolist(), **ONE)
    ds["truncation_geometry_error"] = ds["truncation_geometry_error"].copy(data=(3 / radii)[None, :])
    ds["truncation_status"] = xr.full_like(ds["truncation_status"], Status.relaxed)
    text = about(conclusions(ds), "Truncation geometry error").text
    assert "It agrees with the expected rate, at least 1" in text
    ds["burgers_length"] = ("dislocation", [2.74])
    on_the_bound = 3 / radii * np.log(radii / 2.74) * [1.02, 0.98, 1.03, 0.97, 1.01]
    ds["truncation_geometry_error"] = ds["truncation_geometry_error"].copy(data=on_the_bound[None, :])
    text = about(conclusions(ds), "Truncation geometry error").text
    assert "It agrees with the expected rate, at least 1 (tolerance 0.2): with the bound's logarithm" in text


def test_a_store_with_nothing_says_only_that() -> None:
    ds = made_up()
    ds = marked(ds, xr.ones_like(ds["status"], dtype=bool), Status.pending)
    (one,) = conclusions(ds)
    assert "100 % of its points are still to come" in one.text
    assert views(ds) == []
    found = examined(ds)
    assert {"H1", "H2", "H3", "H4"} <= {each.name for each in found}
    assert {each.verdict for each in found} == {"cannot tell"}


def test_many_groups_are_counted_not_listed() -> None:
    names = [f"kind {number}" for number in range(MOST_LISTED)]
    for one in examined(made_up(falling, dislocation=names)):
        assert len(one.verdicts) <= MOST_LISTED
    few = {one.name: one for one in examined(made_up(falling, **ONE, simulation_radius=[25.0]))}
    assert few["H2"].verdicts[0].group == "screw, simulation radius 25 Å"


def test_views_hold_medians_of_what_is_in_the_store() -> None:
    ds = made_up(falling, scatter=0.1)
    view = views(ds)[0]
    assert (view.title, view.unit, view.along_unit) == ("Geometry error against domain radius", "Å", "Å")
    assert [one.name for one in view.dimensions[:2]] == ["dislocation", "simulation radius"]
    # the weights of the best: forces weight 3
    expected = ds["geometry_error"].isel(weight_energy=0).sel(weight_forces=3.0).median("replica")
    np.testing.assert_allclose(
        view.median, expected.transpose(..., "n_train", "weight_virial", "domain_radius")
    )
    rows = view.rows()
    assert len(rows) == view.median[..., 0].size
    assert view.data()["median"][0] == float(f"{view.median.flat[0]:.4g}")


def test_large_stores_are_thinned_and_say_so() -> None:
    view = views(
        made_up(
            falling,
            degree=list(range(2, 22)),
            n_train=list(range(1, 9)),
            domain_radius=list(np.arange(5.0, 25.0)),
        )
    )[0]
    assert len(view.rows()) <= MOST_ROWS
    assert len(view.points) == 16
    assert "of 20 labels of degree" in view.note
    first, last = view.dimensions[2].labels[0], view.dimensions[2].labels[-1]
    assert (first, last) == ("2", "21"), "the ends stay"


def test_provenance_reads_what_is_there() -> None:
    found = provenance_of(made_up())
    assert found.study == STUDY
    assert found.packages == {"numpy": "2.0"}
    assert len(found.digest) == 16
    assert provenance_of(xr.Dataset()).packages == {}
    assert provenance_of(xr.Dataset(attrs={"packages": "not JSON"})).packages == {}
