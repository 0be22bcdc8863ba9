import doctest
import json
from importlib import metadata
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given

import sweep.fingerprint
from sweep.fingerprint import NUMERICAL_PACKAGES, differences, digest, fingerprint, installed_packages
from sweep.study import read_study
from sweep.study.resolved import PotentialFile, ResolvedLammps

TEXT = (Path(__file__).parents[2] / "studies" / "quick.yaml").read_text(encoding="utf-8")
KERNELS = {"kernels.fitting:fit": 1}
PACKAGES = {"numpy": "2.4.6"}


def reference_in(folder, content="a"):
    path = Path(folder) / "w.eam.alloy"
    return ResolvedLammps("W", "eam/alloy", (f"* * {path} W",), (PotentialFile(path, content * 64),))


def fingerprint_of(text=TEXT, folder="/one", content="a", kernels=KERNELS, packages=PACKAGES):
    return fingerprint(read_study(text), reference_in(folder, content), kernels, packages)


def test_it_is_plain_data():
    fields = fingerprint_of()
    assert json.loads(json.dumps(fields, allow_nan=False)) == fields


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("relax: all", "relax: none"),
        ("seed: 0", "seed: 0\nlimits: {kernel_s: 10, stages: {fits: 5}}"),
        ("seed: 0", "seed: 0\nranks: {equilibria: 2}"),
        ("degree: [6, 8]", "degree: [6, 8, 10]"),
        ("replica: 2", "replica: 3"),
        ("[screw]", "[screw, edge]"),
        ("weight_virial: [0.0, 1.0, 10.0]", "weight_virial: [0.0]"),
        ("cutoff: 5.0", "cutoff: 5"),
        ("basis: {order: 3, cutoff: 5.0}", ""),
        ("# λ of the smoothness prior", "# another comment"),
    ],
)
def test_it_ignores_what_changes_no_number(old, new):
    assert old in TEXT
    assert digest(fingerprint_of(TEXT.replace(old, new, 1))) == digest(fingerprint_of())


@pytest.mark.parametrize(
    ("old", "new", "difference"),
    [
        ("cutoff: 5.0", "cutoff: 5.5", "study.basis.cutoff was 5.0, is now 5.5"),
        ("seed: 0", "seed: 1", "study.seed was 0, is now 1"),
        ("cells: [2, 2, 2]", "cells: [3, 2, 2]", "study.training.bulk.cells was [2, 2, 2], is now [3, 2, 2]"),
        (
            "seed: 0",
            "simulation: {residual_force: 1e-7}",
            "study.simulation.residual_force was 1e-06, is now 1e-07",
        ),
        (
            "seed: 0",
            "simulation: {comparison_radius: 90}",
            "study.simulation.comparison_radius was null, is now 90.0",
        ),
        ("replica: 2", "replica: 2\n  order: [3]", 'further_axes was [], is now ["order"]'),
        (
            "domain_radius: [6.0, 8.0, 10.0]",
            "domain_radius: [6.0, 12.0]",
            "largest.domain_radius was 10.0, is now 12.0",
        ),
        (
            "simulation_radius: [25.0]",
            "simulation_radius: [30.0]",
            "largest.simulation_radius was 25.0, is now 30.0",
        ),
    ],
)
def test_it_names_a_changed_field(old, new, difference):
    changed = fingerprint_of(TEXT.replace(old, new, 1))
    assert differences(fingerprint_of(), changed) == (difference,)
    assert digest(changed) != digest(fingerprint_of())


def test_only_the_largest_of_cutoffs_counts():
    """Clusters and cylinders are wide enough for the largest; the others are labels."""
    one, longer, wider = (
        fingerprint_of(TEXT.replace("replica: 2", f"replica: 2\n  cutoff: {cutoffs}", 1))
        for cutoffs in ("[5]", "[4, 5]", "[5, 6]")
    )
    assert one == longer
    assert differences(one, wider) == ("largest.cutoff was 5.0, is now 6.0",)


def test_it_follows_a_potentials_contents_not_its_folder():
    assert fingerprint_of(folder="/two") == fingerprint_of()
    (difference,) = differences(fingerprint_of(), fingerprint_of(content="b"))
    assert difference.startswith("potential.files.w.eam.alloy was ")


def test_it_names_kernels_and_packages():
    changed = fingerprint_of(kernels={"kernels.fitting:fit": 2}, packages={"numpy": "2.5", "jax": "1"})
    assert differences(fingerprint_of(), changed) == (
        "kernels.kernels.fitting:fit was 1, is now 2",
        'packages.numpy was "2.4.6", is now "2.5"',
        'packages.jax was absent, is now "1"',
    )


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(min_size=1), inner),
    max_leaves=8,
)
mappings = st.dictionaries(st.text(min_size=1), values)


@given(mappings, mappings)
def test_differences_are_none_exactly_where_equal(old, new):
    assert differences(old, old) == ()
    assert bool(differences(old, new)) == (old != new)
    assert len(differences(old, new)) == len(differences(new, old))


@given(mappings)
def test_the_digest_is_of_the_content(fields):
    shuffled = dict(reversed(fields.items()))
    assert digest(shuffled) == digest(fields)
    assert digest(json.loads(json.dumps(fields))) == digest(fields)


def test_installed_packages_are_the_ones_importable_here():
    packages = installed_packages()
    assert tuple(packages) == NUMERICAL_PACKAGES
    assert packages["numpy"] == metadata.version("numpy")


def test_a_package_that_is_not_there_is_said(monkeypatch):
    monkeypatch.setattr(sweep.fingerprint, "NUMERICAL_PACKAGES", ("no-such-package-here",))
    assert installed_packages() == {"no-such-package-here": "not installed"}


def test_examples():
    assert doctest.testmod(sweep.fingerprint).failed == 0
