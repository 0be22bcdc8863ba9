"""Fits of a weight grid against dense least squares, one weighting at a time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mpi4py import MPI

from kernels import fitting
from kernels.ace import basis_of
from kernels.assembly import KINDS, factors, merged_factors, triangle
from kernels.elasticity import elastic_rows
from kernels.fitting import FittingError, fit_block, rmse_grid, solve_grid
from tests.kernels.crystals import MATERIAL, SPEC, bulk_set, core_set

LENGTH = 9
GAMMA = np.linspace(1.0, 50.0, LENGTH)
COUNTS = dict(zip(KINDS, (8, 6, 60, 45, 48), strict=True))
WEIGHTINGS = np.array(
    [[1, 1, 0], [1, 1, 1], [3, 1, 10], [0, 1, 0], [1, 0, 0], [0, 0, 0], [0, 0.2, 5]], dtype=float
)


def observations(seed=0, counts=COUNTS, spread=3.0):
    """Rows [1 | Φ | y] of each kind, functions spread over orders of magnitude."""
    generator = np.random.default_rng(seed)
    scales = 10.0 ** -np.linspace(0, spread, LENGTH)
    return {
        kind: np.column_stack(
            [
                np.full(count, float(kind == "energy_bulk")),
                generator.normal(size=(count, LENGTH)) * scales,
                generator.normal(size=count) + 2.0 * (kind == "energy_bulk"),
            ]
        )
        for kind, count in counts.items()
    }


def as_factors(rows):
    return {kind: triangle(each) for kind, each in rows.items()} | {
        f"{k}_rows": len(e) for k, e in rows.items()
    }


def dense(rows, weighting, regularisation):
    """Solve [E0 | c] by numpy's least squares of the explicitly scaled, stacked rows."""
    stack = []
    for weight, observation in zip(weighting, ("energy", "forces", "virial"), strict=True):
        kinds = [kind for kind in rows if kind.startswith(observation)]
        count = sum(len(rows[kind]) for kind in kinds)
        stack += [weight * rows[kind] / np.sqrt(count) for kind in kinds]
    prior = np.column_stack([np.zeros(LENGTH), regularisation * np.diag(GAMMA), np.zeros(LENGTH)])
    matrix = np.vstack([*stack, prior])
    columns = slice(0, -1) if weighting[0] > 0 else slice(1, -1)  # without energies nothing says what E0 is
    scales = np.linalg.norm(matrix[:, columns], axis=0)
    found = np.linalg.lstsq(matrix[:, columns] / scales, matrix[:, -1], rcond=None)[0] / scales
    return found if weighting[0] > 0 else np.concatenate([[np.nan], found])


def predictions(rows, coefficients, e0):
    return {kind: each[:, :-1] @ np.concatenate([[e0], coefficients]) for kind, each in rows.items()}


@pytest.mark.parametrize("regularisation", [1e-1, 1e-6])
def test_predictions_are_those_of_dense_least_squares(regularisation):
    rows = observations()
    fits = solve_grid(as_factors(rows), GAMMA, WEIGHTINGS, regularisation)
    for number, weighting in enumerate(WEIGHTINGS):
        if not weighting.any():
            continue
        e0, *coefficients = dense(rows, weighting, regularisation)
        if weighting[0] == 0:  # the mean residual of the bulk energies, by definition
            bulk = rows["energy_bulk"]
            e0 = np.mean(bulk[:, -1] - bulk[:, 1:-1] @ coefficients)
        wanted = predictions(rows, coefficients, e0)
        found = predictions(rows, fits.coefficients[number], fits.e0[number])
        for kind in KINDS:
            size = np.linalg.norm(wanted[kind])
            assert np.linalg.norm(found[kind] - wanted[kind]) <= 1e-8 * size, (weighting, kind)


def test_a_grid_of_one_gives_what_the_whole_grid_gives():
    made = as_factors(observations())
    together = solve_grid(made, GAMMA, WEIGHTINGS, 1e-3)
    for number, weighting in enumerate(WEIGHTINGS):
        [alone] = solve_grid(made, GAMMA, [weighting], 1e-3).coefficients
        assert np.allclose(together.coefficients[number], alone, rtol=1e-9, equal_nan=True)


def test_judging_fits_in_pieces_changes_nothing(monkeypatch):
    made = as_factors(observations())
    fits = solve_grid(made, GAMMA, WEIGHTINGS, 1e-3)
    together = rmse_grid(made, fits.coefficients, fits.e0)
    monkeypatch.setattr(fitting, "RESIDUAL_BYTES", 1)
    alone = rmse_grid(made, fits.coefficients, fits.e0)
    for name, table in together.items():
        assert np.allclose(table, alone[name], rtol=1e-9, equal_nan=True)


def test_several_regularisations_are_those_of_each():
    made, lambdas = as_factors(observations()), [1e-1, 1e-6]
    together = solve_grid(made, GAMMA, WEIGHTINGS, lambdas)
    for number, each in enumerate(lambdas):
        rows = slice(number * len(WEIGHTINGS), (number + 1) * len(WEIGHTINGS))
        alone = solve_grid(made, GAMMA, WEIGHTINGS, each)
        for name in ("coefficients", "e0", "condition", "rank", "excluded"):
            wanted, found = getattr(alone, name), getattr(together, name)[rows]
            assert np.allclose(found, wanted, rtol=1e-9, equal_nan=True), name


def test_no_weights_no_fit():
    fits = solve_grid(as_factors(observations()), GAMMA, WEIGHTINGS, 1e-3)
    nothing = int(np.flatnonzero(~WEIGHTINGS.any(axis=1))[0])
    assert fits.excluded.tolist() == [number == nothing for number in range(len(WEIGHTINGS))]
    assert np.isnan(fits.coefficients[nothing]).all()
    assert np.isnan(fits.e0[nothing])
    assert np.isnan(fits.condition[nothing])
    assert fits.rank[nothing] == 0
    assert np.isfinite(np.delete(fits.coefficients, nothing, axis=0)).all()


@settings(max_examples=25)
@given(factor=st.floats(1e-3, 1e3), seed=st.integers(0, 1000))
def test_only_ratios_of_weights_and_regularisation_matter(factor, seed):
    made = as_factors(observations(seed))
    one = solve_grid(made, GAMMA, WEIGHTINGS[:3], 1e-3)
    other = solve_grid(made, GAMMA, factor * WEIGHTINGS[:3], factor * 1e-3)
    assert np.allclose(one.coefficients, other.coefficients, rtol=1e-8)
    assert np.allclose(one.condition, other.condition, rtol=1e-6)


def test_the_order_of_observations_does_not_matter():
    rows, generator = observations(), np.random.default_rng(1)
    shuffled = {kind: each[generator.permutation(len(each))] for kind, each in rows.items()}
    one, other = (solve_grid(as_factors(each), GAMMA, WEIGHTINGS, 1e-3) for each in (rows, shuffled))
    assert np.allclose(one.coefficients, other.coefficients, rtol=1e-9, equal_nan=True)


def test_prefixes_fit_as_the_whole():
    rows = observations()
    halves = ({k: e[: len(e) // 2] for k, e in rows.items()}, {k: e[len(e) // 2 :] for k, e in rows.items()})
    merged = merged_factors(*(as_factors(half) for half in halves))
    one, other = (solve_grid(each, GAMMA, WEIGHTINGS, 1e-3) for each in (merged, as_factors(rows)))
    assert np.allclose(one.coefficients, other.coefficients, rtol=1e-9, equal_nan=True)


def test_ranks_count_what_the_data_alone_determine():
    counts = {"energy_bulk": 4, "energy_core": 2, "forces_bulk": 3, "forces_core": 3, "virial_bulk": 1}
    fits = solve_grid(as_factors(observations(counts=counts)), GAMMA, WEIGHTINGS, 1e-3)
    # E0 takes one of the bulk energies
    wanted = {(1, 1, 0): 9, (1, 0, 0): 5, (0, 1, 0): 6, (0, 0.2, 5): 7}
    for weighting, rank in wanted.items():
        assert fits.rank[WEIGHTINGS.tolist().index(list(map(float, weighting)))] == rank


@settings(max_examples=25)
@given(seed=st.integers(0, 1000), spread=st.floats(0.0, 20.0))
def test_more_kinds_of_observation_never_have_less_rank(seed, spread):
    patterns = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 1, 1]]
    energy, forces, virial, two, three = solve_grid(
        as_factors(observations(seed, spread=spread)), GAMMA, patterns, 1e-3
    ).rank
    assert max(energy, forces) <= two <= three <= LENGTH
    assert virial <= three


def test_conditions_are_those_of_the_stacked_matrix():
    rows, weighting, regularisation = observations(), np.array([3.0, 1.0, 10.0]), 1e-3
    fits = solve_grid(as_factors(rows), GAMMA, [weighting], regularisation)
    energy = rows["energy_bulk"][:, 1:-1]
    parts = [[energy - energy.mean(axis=0), rows["energy_core"][:, 1:-1]]]
    parts += [[rows["forces_bulk"][:, 1:-1], rows["forces_core"][:, 1:-1]], [rows["virial_bulk"][:, 1:-1]]]
    stack = [w * np.vstack(p) / np.sqrt(sum(map(len, p))) for w, p in zip(weighting, parts, strict=True)]
    wanted = np.linalg.cond(np.vstack([*stack, regularisation * np.diag(GAMMA)]))
    assert fits.condition[0] == pytest.approx(wanted, rel=1e-6)


def test_one_configuration_of_each_kind_is_enough():
    counts = {"energy_bulk": 1, "energy_core": 1, "forces_bulk": 48, "forces_core": 9, "virial_bulk": 6}
    rows = observations(counts=counts)
    fits = solve_grid(as_factors(rows), GAMMA, [[1, 1, 1], [1, 0, 0]], 1e-4)
    bulk = rows["energy_bulk"][0]
    # E0 takes up the whole of the only bulk energy
    assert np.allclose(fits.coefficients @ bulk[1:-1] + fits.e0, bulk[-1])


def test_an_undetermined_fit_is_the_shortest_in_the_priors_sense():
    rows = observations(counts=dict.fromkeys(KINDS, 1))
    fits = solve_grid(as_factors(rows), GAMMA, [[0, 1, 0]], 0.0)
    forces = np.vstack([rows["forces_bulk"], rows["forces_core"]])[:, 1:]
    wanted = np.linalg.lstsq(forces[:, :-1] / GAMMA, forces[:, -1], rcond=None)[0] / GAMMA
    assert np.allclose(fits.coefficients[0], wanted)
    assert fits.rank[0] == 2
    assert fits.condition[0] == np.inf


def test_no_regularisation_is_the_limit_of_little():
    """Two rows and nine functions: the prior alone decides on the rest, however weak it is."""
    made = as_factors(observations(counts=dict.fromkeys(KINDS, 1)))
    none, little = (solve_grid(made, GAMMA, [[0, 1, 0]], each).coefficients[0] for each in (0.0, 1e-9))
    assert np.linalg.norm(GAMMA * (none - little)) <= 1e-6 * np.linalg.norm(GAMMA * none)


def test_without_bulk_energies_there_is_no_constant():
    rows = observations(counts={k: v for k, v in COUNTS.items() if k != "energy_bulk"})
    fits = solve_grid(as_factors(rows), GAMMA, [[1, 1, 0]], 1e-3)
    errors = rmse_grid(as_factors(rows), fits.coefficients, fits.e0)
    assert np.isnan(fits.e0[0])
    assert np.isfinite(fits.coefficients).all()
    assert np.isfinite(errors["rmse_forces"]).all()
    assert np.isfinite(errors["rmse_energy"][0, 1])


def test_force_constants_are_a_fourth_observation():
    counts = COUNTS | {"force_constants_core": 40}
    rows = observations(counts=counts)
    weighting = np.array([1.0, 0.5, 2.0, 3.0])
    fits = solve_grid(as_factors(rows), GAMMA, [weighting], 1e-3)
    parts = [[rows[kind][:, 1:] for kind in rows if kind.startswith(each)] for each in fitting.OBSERVATIONS]
    parts[0][0] = parts[0][0] - parts[0][0].mean(axis=0)
    stack = [w * np.vstack(p) / np.sqrt(sum(map(len, p))) for w, p in zip(weighting, parts, strict=True)]
    matrix = np.vstack([*stack, 1e-3 * np.column_stack([np.diag(GAMMA), np.zeros(LENGTH)])])
    wanted = np.linalg.lstsq(matrix[:, :-1], matrix[:, -1], rcond=None)[0]
    assert np.allclose(fits.coefficients[0], wanted, rtol=1e-7)
    errors = rmse_grid(as_factors(rows), fits.coefficients, fits.e0)["rmse_force_constants"]
    misfit = rows["force_constants_core"] @ np.array([0.0, *wanted, -1.0])
    assert errors[0, 1] == pytest.approx(np.sqrt(np.mean(misfit**2)), rel=1e-6)
    assert np.isnan(errors[0, 0])


def test_errors_are_those_of_the_rows():
    rows, generator = observations(seed=5), np.random.default_rng(6)
    coefficients, e0 = generator.normal(size=(3, LENGTH)), generator.normal(size=3)
    coefficients[1] = np.nan
    errors = rmse_grid(as_factors(rows), coefficients, e0)
    for observation in ("energy", "forces", "virial"):
        table = errors[f"rmse_{observation}"]
        assert table.shape == (3, 2)
        assert np.isnan(table[1]).all()
        for column, configuration in enumerate(("bulk", "core")):
            kind = f"{observation}_{configuration}"
            if kind not in rows:
                assert np.isnan(table[:, column]).all()
                continue
            for number in (0, 2):
                residual = predictions(rows, coefficients[number], e0[number])[kind] - rows[kind][:, -1]
                assert table[number, column] == pytest.approx(np.sqrt(np.mean(residual**2)), rel=1e-10)


@pytest.mark.parametrize(
    ("weightings", "gamma", "regularisation", "words"),
    [
        ([[1, -1, 0]], GAMMA, 1e-3, "negative or not finite"),
        ([[1, np.nan, 0]], GAMMA, 1e-3, "negative or not finite"),
        ([1, 1, 1], GAMMA, 1e-3, "wanted are"),
        ([[1, 1, 1]], GAMMA, -1.0, "regularisation is .-1.0.;"),
        ([[1, 1, 1]], GAMMA[1:], 1e-3, "two bases"),
        ([[1, 1, 1]], GAMMA, [1e-3, np.nan], "regularisation is"),
        ([[1, 1, 1, 1]], GAMMA, 1e-3, "hold no force_constants"),
    ],
)
def test_what_admits_no_fit_is_named(weightings, gamma, regularisation, words):
    with pytest.raises(FittingError, match=words):
        solve_grid(as_factors(observations()), gamma, weightings, regularisation)


def test_a_block_from_artefacts(tmp_path):
    def stored(name, arrays):
        np.savez(tmp_path / f"{name}.npz", **arrays)
        return str(tmp_path / f"{name}.npz")

    paths = {}
    for name, seed in (("factors", 0), ("held_out", 1)):
        core, bulk = stored(f"core{seed}", core_set(3, seed)), stored(f"bulk{seed}", bulk_set(3, seed))
        paths[name] = stored(name, factors(MPI.COMM_SELF, basis=SPEC, core=core, bulk=bulk))
    paths["elastic"] = stored(
        "elastic", elastic_rows(MPI.COMM_SELF, basis=SPEC, material=MATERIAL, structure="bcc")
    )
    found = fit_block(
        MPI.COMM_SELF,
        basis=SPEC,
        material=MATERIAL,
        dislocation="screw",
        weightings=WEIGHTINGS.tolist(),
        regularisation=1e-4,
        **paths,
    )
    many, length = len(WEIGHTINGS), basis_of(SPEC).length
    assert found["coefficients"].shape == (many, length)
    for name in ("rmse_energy", "rmse_forces", "rmse_virial"):
        assert found[name].shape == (many, 2)
    singles = "e0 rank condition excluded basis_size labelled_atoms pressure lattice_error c11 c12 c44 elastic_error"
    for name in [*singles.split(), "far_field_mismatch"]:
        assert found[name].shape == (many,), name
    excluded = found["excluded"]
    assert excluded.sum() == 1
    assert np.isfinite(found["rmse_forces"][~excluded]).all()
    assert np.isfinite(found["pressure"][~excluded]).all()
    for name in ("pressure", "lattice_error", "elastic_error", "far_field_mismatch", "c11"):
        assert np.isnan(found[name][excluded]).all(), name
