"""The matrix of fits trained on one dislocation and judged on another: its cells, its words, its refusals."""

import pytest
import xarray as xr
from matplotlib.figure import Figure

from sweep.figures import FigureError, transfer_matrix
from sweep.figures.gallery import pictures
from sweep.figures.transfers import picture_of_transfers
from sweep.variables import Trust
from tests.sweep.advice.made import NAMES, RATIOS, falling, store, transferred


def cells(figure: Figure) -> dict[tuple[str, str], str]:
    """What stands in each cell, by the labels of its row and column."""
    axes = figure.axes[0]
    across = [label.get_text() for label in axes.get_xticklabels()]
    down = [label.get_text() for label in axes.get_yticklabels()]
    return {
        (down[round(text.get_position()[1])], across[round(text.get_position()[0])]): text.get_text()
        for text in axes.texts
    }


def test_each_cell_is_its_pair_with_its_interval() -> None:
    figure = transfer_matrix(transferred())
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("judged on", "trained on")
    found = cells(figure)
    assert found.keys() == RATIOS.keys() | {(name, name) for name in NAMES}
    for pair, ratio in RATIOS.items():
        mean, _, interval = found[pair].partition("\n")
        low, high = map(float, interval.split("–"))
        assert float(mean) == pytest.approx(ratio, rel=0.03)
        assert low <= float(mean) <= high
    assert {found[name, name] for name in NAMES} == {"1"}


def test_what_is_not_trusted_stands_in_brackets_and_is_told() -> None:
    ds = transferred()
    ds["transfer_estimate_trusted"] = xr.full_like(ds["transfer_estimate_trusted"], Trust.distrusted)
    assert cells(transfer_matrix(ds))["screw", "edge"].startswith("(")
    told = picture_of_transfers(ds).alt
    assert "Trained on screw, edge is 3" in told
    assert "by estimates none of which is trusted" in told


def test_a_store_without_transfers_has_no_such_figure() -> None:
    with pytest.raises(FigureError, match="no fit of this store was judged on another dislocation"):
        transfer_matrix(store(falling))
    assert not any("transfers" in name for name, _ in pictures(store(falling)))
