import dataclasses
import doctest
import itertools
import math
import pickle

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import sweep.grid
from sweep.grid import (
    BLOCK_DIMENSIONS,
    DIMENSIONS,
    OPTIONAL_DIMENSIONS,
    WEIGHTING_DIMENSIONS,
    Axis,
    Block,
    Grid,
    GridError,
    Weighting,
    grid_of,
)
from sweep.study import Study

LENGTHS = st.floats(1e-3, 1e6)
WEIGHTS = st.floats(0, 1e6).map(abs)
COUNTS = st.integers(1, 10**6)
BLOCKS = st.builds(
    Block,
    dislocation=st.from_regex(r"[A-Za-z0-9]{1,20}", fullmatch=True),
    simulation_radius=LENGTHS,
    degree=COUNTS,
    domain_radius=LENGTHS,
    n_train=COUNTS,
    replica=st.integers(0, 10**6),
    order=st.none() | st.integers(1, 10),
    cutoff=st.none() | LENGTHS,
    bulk_strain=st.none() | st.floats(1e-6, 0.9),
)


def several(values):
    return st.lists(values, min_size=1, max_size=3, unique=True).map(tuple)


LABELS = {
    "dislocation": several(st.sampled_from(["screw", "edge", "BCCMixed111Dislocation"])),
    "simulation_radius": several(LENGTHS),
    "degree": several(COUNTS),
    "domain_radius": several(LENGTHS),
    "n_train": several(COUNTS),
    "replica": st.integers(1, 4).map(lambda count: tuple(range(count))),
    "weight_energy": several(WEIGHTS),
    "weight_forces": several(WEIGHTS),
    "weight_virial": several(WEIGHTS),
}
OPTIONAL = {
    "order": several(st.integers(1, 10)),
    "cutoff": several(LENGTHS),
    "bulk_strain": several(st.floats(1e-6, 0.9)),
    "regularisation": several(st.floats(1e-12, 1.0)),
    "weight_force_constants": several(WEIGHTS),
}
WEIGHTS_ALWAYS = ("weight_energy", "weight_forces", "weight_virial")


def grid_with(labels):
    return Grid(tuple(Axis(name, labels[name], *DIMENSIONS[name]) for name in DIMENSIONS if name in labels))


@st.composite
def grids(draw):
    labels = draw(st.fixed_dictionaries(LABELS, optional=OPTIONAL))
    weights = [labels.get(name, ()) for name in (*WEIGHTS_ALWAYS, "weight_force_constants")]
    assume(any(weight > 0 for values in weights for weight in values))
    return grid_with(labels)


@given(grids())
def test_sizes_multiply(grid):
    assert grid.shape == tuple(len(axis) for axis in grid.axes)
    assert grid.n_points == math.prod(grid.shape) == grid.n_blocks * len(grid.weightings())
    assert grid.n_blocks == len(list(grid.blocks()))
    assert 0 <= grid.n_excluded < grid.n_points


@given(grids())
def test_index_and_blocks_are_inverse(grid):
    shape = [len(axis) for axis in grid.axes if axis.name in BLOCK_DIMENSIONS]
    assert [grid.index(block) for block in grid.blocks()] == list(itertools.product(*map(range, shape)))


@given(grids())
def test_keys_are_unique(grid):
    keys = [block.key for block in grid.blocks()]
    assert len(set(keys)) == len(keys)


@given(BLOCKS)
def test_key_round_trips(block):
    assert Block.from_key(block.key) == block
    assert pickle.loads(pickle.dumps(block)) == block


@given(BLOCKS, st.integers(1, 1000))
def test_an_integer_radius_is_the_same_radius(block, radius):
    whole = dataclasses.replace(block, simulation_radius=radius)
    real = dataclasses.replace(block, simulation_radius=float(radius))
    assert whole.key == real.key
    assert whole == real


@given(st.text())
def test_a_key_is_read_or_refused(text):
    with pytest.raises(GridError, match="is not a block's key"):
        Block.from_key(text)


def test_a_key_written_otherwise_is_refused():
    key = Block("screw", 25, 6, 8, 4, 0).key
    with pytest.raises(GridError, match="the nearest is"):
        Block.from_key(key.replace("25.0", "25"))


@given(grids())
def test_weightings_run_over_the_last_weight_fastest_and_the_regularisation_slowest(grid):
    axes = [axis for axis in grid.axes if axis.name in WEIGHTING_DIMENSIONS]
    weightings = grid.weightings()
    named = [axis.name.removeprefix("weight_") for axis in axes]
    found = [tuple(getattr(weighting, name) for name in named) for weighting in weightings]
    assert found == list(itertools.product(*(axis.values for axis in axes)))
    nothing = [w for w in weightings if not any((w.energy, w.forces, w.virial, w.force_constants))]
    assert grid.n_excluded == grid.n_blocks * len(nothing)


@given(grids())
def test_a_block_has_exactly_the_labels_of_the_grids_axes(grid):
    optional = [name for name in BLOCK_DIMENSIONS if name in OPTIONAL_DIMENSIONS]
    for block in grid.blocks():
        assert [name for name in optional if getattr(block, name) is not None] == [
            name for name in optional if name in grid.dims
        ]


def test_a_block_of_another_grid_is_named():
    grid = grid_with(LABELS_OF_ONE)
    with pytest.raises(GridError, match="cutoff has no such axis"):
        grid.index(Block("screw", 25.0, 6, 8.0, 4, 0, cutoff=5.0))
    with pytest.raises(GridError, match=r"cutoff has .*, not None"):
        grid_with(LABELS_OF_ONE | {"cutoff": (4.0, 5.0)}).index(Block("screw", 25.0, 6, 8.0, 4, 0))


LABELS_OF_ONE = {
    "dislocation": ("screw",),
    "simulation_radius": (25.0,),
    "degree": (6,),
    "domain_radius": (8.0,),
    "n_train": (4,),
    "replica": (0, 1),
    "weight_energy": (0.0, 1.0),
    "weight_forces": (0.0, 1.0),
    "weight_virial": (0.0, 1.0),
}


def test_an_on_off_grid_excludes_one_weighting_in_eight():
    grid = grid_with(LABELS_OF_ONE)
    assert (grid.n_points, grid.n_blocks, grid.n_excluded) == (16, 2, 2)


def test_a_grid_without_any_weight_is_refused():
    with pytest.raises(GridError, match="every weighting is zero"):
        grid_with(LABELS_OF_ONE | dict.fromkeys(WEIGHTS_ALWAYS, (0.0,)))


def test_axes_in_another_order_are_refused():
    axes = grid_with(LABELS_OF_ONE).axes
    with pytest.raises(GridError, match="in this order"):
        Grid(axes[::-1])


@pytest.mark.parametrize(("values", "words"), [((), "no value"), ((6, 8, 6), "6 2 times")])
def test_an_empty_or_repeated_axis_is_refused(values, words):
    with pytest.raises(GridError, match=words):
        Axis("degree", values, "1", "degree")


@pytest.mark.parametrize(
    "change",
    [
        {"simulation_radius": math.nan},
        {"simulation_radius": 0.0},
        {"domain_radius": -1.0},
        {"degree": 0},
        {"degree": True},
        {"n_train": 1.5},
        {"replica": -1},
        {"dislocation": ""},
        {"dislocation": "a,b=c"},
    ],
)
def test_a_block_refuses_what_is_no_label(change):
    block = Block("screw", 25.0, 6, 8.0, 4, 0)
    with pytest.raises(GridError, match=next(iter(change))):
        dataclasses.replace(block, **change)


@pytest.mark.parametrize("weight", [-1.0, math.nan, math.inf])
def test_a_weighting_refuses_what_is_no_weight(weight):
    with pytest.raises(GridError, match="virial"):
        Weighting(1.0, 1.0, weight)


def test_a_block_off_the_grid_is_named():
    with pytest.raises(GridError, match=r"degree=7.*off the grid: degree"):
        grid_with(LABELS_OF_ONE).index(Block("screw", 25.0, 7, 8.0, 4, 0))


def test_an_unknown_axis_is_named():
    with pytest.raises(GridError, match="no axis 'colour'"):
        grid_with(LABELS_OF_ONE).axis("colour")


def test_the_grid_of_a_study_takes_its_labels_in_order():
    study = Study.model_validate(
        {
            "study": "s",
            "material": {"element": "W", "structure": "bcc"},
            "reference": {"preset": "tungsten-snap"},
            "dislocations": ["screw"],
            "axes": {
                "simulation_radius": [30, 25],
                "degree": [8, 6],
                "domain_radius": [6],
                "n_train": [4],
                "replica": 3,
                "weight_energy": [1],
                "weight_forces": [1],
                "weight_virial": [10, 0],
            },
        }
    )
    grid = grid_of(study)
    assert grid.dims == tuple(name for name in DIMENSIONS if name not in OPTIONAL_DIMENSIONS)
    assert grid.axis("simulation_radius").values == (30.0, 25.0)
    assert grid.axis("degree").values == (8, 6)
    assert grid.axis("replica").values == (0, 1, 2)
    assert grid.axis("weight_virial").values == (10.0, 0.0)
    assert grid.n_points == 2 * 2 * 3 * 2
    assert all(axis.units and axis.long_name for axis in grid.axes)


def test_a_named_axis_becomes_a_dimension_in_its_place():
    axes = {
        **{name: [1.0] for name in WEIGHTS_ALWAYS},
        "simulation_radius": [25],
        "degree": [6],
        "replica": 1,
    }
    further = {"cutoff": [5, 4], "regularisation": [1e-4, 1e-6], "order": [3], "bulk_strain": [0.01]}
    study = Study.model_validate(
        {
            "study": "s",
            "material": {"element": "W", "structure": "bcc"},
            "reference": {"preset": "tungsten-snap"},
            "dislocations": ["screw"],
            "axes": {**axes, "domain_radius": [6], "n_train": [4], **further},
        }
    )
    grid = grid_of(study)
    assert grid.dims[5:] == ("replica", "order", "cutoff", "bulk_strain", "regularisation", *WEIGHTS_ALWAYS)
    assert [block.cutoff for block in grid.blocks()] == [5.0, 4.0]
    assert [weighting.regularisation for weighting in grid.weightings()] == [1e-4, 1e-6]


@pytest.mark.parametrize("module", [sweep.grid.dimensions, sweep.grid.places, sweep.grid.weighting])
def test_examples(module):
    assert doctest.testmod(module).failed == 0
