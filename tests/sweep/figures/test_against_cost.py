"""The error against what labels cost: a line for each radius, at the atoms that each training set has."""

import numpy as np
import pytest
import xarray as xr

from sweep.figures import FigureError, error_against_cost
from sweep.figures.against_cost import picture_against_cost
from sweep.figures.gallery import pictures
from tests.sweep.made_up import made_up


def costed(**labels: list[float]) -> xr.Dataset:
    ds = made_up(lambda ds: 1 / ds["domain_radius"] / ds["n_train"] ** 0.5, scatter=0.001, **labels)
    atoms = (ds["n_train"] * ds["domain_radius"] ** 2).broadcast_like(ds["status"])
    ds["labelled_atoms"] = atoms.transpose(*ds["status"].dims).assign_attrs(ds["labelled_atoms"].attrs)
    return ds


def test_each_radius_is_a_line_at_its_labelled_atoms() -> None:
    ds = costed(n_train=[2, 8])
    axes = error_against_cost(ds).axes[0]
    assert axes.get_xlabel() == "" or "labelled atoms" in axes.get_xlabel()
    lines = [container[0] for container in axes.containers]
    assert len(lines) == ds.sizes["domain_radius"]
    for line, radius in zip(lines, sorted(ds["domain_radius"].values), strict=True):
        np.testing.assert_allclose(line.get_xdata(), [2 * radius**2, 8 * radius**2])
        np.testing.assert_allclose(line.get_ydata(), [1 / radius / 2**0.5, 1 / radius / 8**0.5], rtol=0.01)


def test_it_is_told_in_words() -> None:
    told = picture_against_cost(costed(n_train=[2, 8])).alt
    assert told.startswith("Geometry error against the cost of labels. screw: domain radius ")
    assert "labelled atoms." in told


def test_one_training_set_is_no_comparison() -> None:
    one = costed(n_train=[2]).isel(domain_radius=[0])
    with pytest.raises(FigureError, match="one training set only"):
        error_against_cost(one)
    assert not any("labelled_atoms" in name for name, _ in pictures(one))
    assert any("labelled_atoms" in name for name, _ in pictures(costed(n_train=[2, 8])))
