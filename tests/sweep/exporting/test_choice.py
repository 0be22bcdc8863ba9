"""The point that labels mean, and every way in which they mean none."""

import numpy as np
import pytest
import xarray as xr

from sweep.exporting.choice import chosen_point, labels_in
from sweep.exporting.errors import ExportError


def store_of(**axes):
    """A status over any axes: nothing assumes which a store has."""
    shape = tuple(map(len, axes.values()))
    return xr.Dataset({"status": (tuple(axes), np.zeros(shape, dtype=np.uint8))}, coords=axes)


STORE = store_of(
    dislocation=["screw", "edge"],
    degree=[6, 8],
    replica=[0],
    regularisation=[1e-6, 1e-4],
    weight_virial=[0.0, 1.0],
)


def test_labels_are_found_however_numbers_are_written():
    at = labels_in(["dislocation=screw, degree=8.0", "regularisation=0.0001,weight_virial=1"])
    expected = {
        "dislocation": "screw",
        "degree": 8,
        "replica": 0,
        "regularisation": 1e-4,
        "weight_virial": 1.0,
    }
    point = chosen_point(STORE, at)
    assert point == expected
    assert list(point) == list(STORE.status.dims)
    assert STORE.status.sel(point).shape == ()


@pytest.mark.parametrize("text", ["degree", "degree=", "=8", "", "degree=8,,replica=0"])
def test_what_is_no_label_is_refused(text):
    with pytest.raises(ExportError, match="give NAME=LABEL"):
        labels_in([text])


def test_an_axis_named_twice_is_refused():
    with pytest.raises(ExportError, match="degree twice"):
        labels_in(["degree=6", "degree=8"])


@pytest.mark.parametrize(
    ("at", "said"),
    [
        ("colour=red", "--at colour: the store has no such axis; it has dislocation, degree, replica, "),
        ("degree=7", "--at degree=7: degree has 6, 8"),
        ("degree=many", "--at degree=many: degree has 6, 8"),
        ("dislocation=Screw", "dislocation has 'screw', 'edge'"),
        ("degree=nan", "degree has 6, 8"),
        (
            "dislocation=edge,degree=6",
            "regularisation has 1e-06, 0.0001; weight_virial has 0.0, 1.0; add to --at",
        ),
    ],
)
def test_labels_that_mean_no_point_or_several_are_refused(at, said):
    with pytest.raises(ExportError) as caught:
        chosen_point(STORE, labels_in([at]))
    assert said in str(caught.value)
