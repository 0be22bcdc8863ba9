import doctest
import pickle
import subprocess
import sys
from pathlib import Path

import ase.data
import hypothesis.strategies as st
import matscipy.dislocation
import pytest
import yaml
from hypothesis import given

import kernels.dislocation_classes
import kernels.dislocations
import sweep.study.dislocation_names
import sweep.study.messages
import sweep.study.text
from sweep.grid import grid_of
from sweep.study import Study, StudyError, load_study, read_study
from sweep.study.availability import check_available
from sweep.study.dislocation_names import CLASSES, MATSCIPY_CLASSES, STRUCTURES, names_for
from sweep.study.elements import ELEMENTS

QUICK = Path(__file__).parents[2] / "studies" / "quick.yaml"
TEXT = QUICK.read_text(encoding="utf-8")

# Valid studies.

lengths = st.floats(1e-3, 1e3)
counts = st.integers(1, 10**6)
weights = st.floats(0, 1e6).map(abs)
words = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"]), min_size=1, max_size=20)
arguments = words.filter(
    lambda line: line.strip(" ") and (line.split() or [""])[0] not in ("pair_style", "pair_coeff")
)


def several(values):
    return st.lists(values, min_size=1, max_size=3, unique=True)


def either(**optional):
    return st.fixed_dictionaries({}, optional=optional)


references = st.one_of(
    st.fixed_dictionaries(
        {
            "lammps": st.fixed_dictionaries(
                {"pair_style": arguments, "pair_coeff": st.lists(arguments, min_size=1, max_size=2)}
            )
        }
    ),
    st.fixed_dictionaries(
        {
            "ase": st.fixed_dictionaries(
                {"calculator": st.just("package.module:factory")},
                optional={
                    "options": st.dictionaries(words, st.none() | st.booleans() | st.integers() | words)
                },
            )
        }
    ),
)


@st.composite
def studies(draw):
    structure = draw(st.sampled_from(STRUCTURES))
    names = names_for(structure)
    axes = {
        "simulation_radius": draw(several(st.floats(100, 1e3))),
        "degree": draw(several(st.integers(2, 100))),
        "domain_radius": draw(several(st.floats(1e-3, 100))),
        "n_train": draw(several(counts)),
        "replica": draw(counts),
        "weight_energy": draw(several(weights)),
        "weight_forces": draw(several(weights)),
        "weight_virial": [1.0, *draw(st.lists(st.floats(2, 1e6), unique=True, max_size=2))],
    }
    required = {
        "study": draw(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", fullmatch=True)),
        "material": {"element": draw(st.sampled_from(ELEMENTS)), "structure": structure},
        "reference": draw(references),
        "dislocations": draw(st.lists(st.sampled_from(sorted(names)), min_size=1, unique_by=names.get)),
        "axes": axes | draw(either(order=several(st.integers(1, 10)), cutoff=several(st.floats(2, 20)))),
    }
    return required | draw(
        either(
            basis=either(order=st.integers(1, 10), cutoff=st.floats(2, 20)),
            training=either(
                core=either(perturbation=lengths, source=st.sampled_from(["large", "own"])),
                bulk=either(
                    cells=st.lists(counts, min_size=3, max_size=3),
                    strain=st.floats(1e-4, 0.5),
                    perturbation=lengths,
                ),
            ),
            regularisation=st.floats(1e-300, 1e300),
            simulation=either(
                predictor=st.sampled_from(["reference", "potential"]),
                comparison_radius=st.floats(3000, 1e6),
                residual_force=st.floats(1e-12, 1),
                max_evaluations=counts,
            ),
            fidelity=either(
                relax=st.sampled_from(["all", "none"])
                | either(sample=st.floats(1e-6, 1), above=st.floats(1e-6, 1e3))
            ),
            seed=st.integers(0, 2**63 - 1),
        )
    )


@given(studies())
def test_a_study_round_trips_through_its_text(fields):
    study = Study.model_validate(fields)
    again = read_study(study.text)
    assert again.model_dump() == study.model_dump()
    assert again.text == study.text
    assert pickle.loads(pickle.dumps(again)).text == study.text


@given(studies())
def test_a_study_round_trips_through_yaml(fields):
    # PyYAML quotes what YAML 1.1 would misread; only 1e5, a number to YAML 1.2, needs a name that is none.
    fields["study"] = "name-" + fields["study"][:90]
    fields["reference"] = {"lammps": {"pair_style": "eam/alloy", "pair_coeff": ["* * W.eam.alloy W"]}}
    study = Study.model_validate(fields)
    text = yaml.safe_dump(study.model_dump(mode="json", exclude_none=True), allow_unicode=True)
    assert read_study(text).model_dump() == study.model_dump()


# Anything else.

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(10**390, 10**410)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["all", "screw", "bcc", "W", "tungsten-snap"])
)
keys = st.sampled_from([*Study.model_fields, "degree", "relax", "core", "preset", "lammps", "sample"])
junk = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(keys | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)


def read_or_refused(text):
    try:
        study = read_study(text, "study.yaml")
    except StudyError as error:
        message = str(error)
        assert message
        assert all(
            line.startswith(("study.yaml: ", "study.yaml, line ", "and ")) for line in message.splitlines()
        )
        assert "pydantic" not in message
        assert len(message) < 3000
    else:
        assert study.text == text


@given(st.dictionaries(keys, junk, max_size=6))
def test_junk_is_refused_as_a_study(data):
    read_or_refused(yaml.safe_dump(data, allow_unicode=True))


@given(st.sampled_from(sorted(Study.model_fields)), junk)
def test_one_junk_field_is_refused_or_taken(field, value):
    data = yaml.safe_load(TEXT) | {field: value}
    read_or_refused(yaml.safe_dump(data, allow_unicode=True))


@given(st.text())
def test_any_text_is_refused_as_a_study(text):
    read_or_refused(text)


@given(st.integers(0, len(TEXT) - 1), st.sampled_from("{}[]:,\"'#&*!|>%@`\t\n\0 0-\x85"))
def test_one_slip_of_a_key_is_read_or_refused(place, character):
    read_or_refused(TEXT[:place] + character + TEXT[place + 1 :])


@given(st.binary())
def test_any_bytes_are_refused_as_a_study(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("study") / "study.yaml"
    path.write_bytes(data)
    with pytest.raises(StudyError, match=r"study\.yaml"):
        load_study(path)


def test_numbers_read_as_yaml_1_2():
    for text in ("1e-6", "1.0e-6", "1E-6", ".000001", "+1e-06"):
        assert read_study(TEXT.replace("1.0e-6", text)).regularisation == 1e-6
    assert read_study(TEXT.replace("25.0", "25")).axes.simulation_radius == (25.0,)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(StudyError, match=r"away\.yaml: there is no such file"):
        load_study(tmp_path / "away.yaml")
    with pytest.raises(StudyError, match="this is a directory"):
        load_study(tmp_path)
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("study: Å".encode("latin-1"))
    with pytest.raises(StudyError, match=r"latin\.yaml: byte 7 is not UTF-8"):
        load_study(latin)


def test_a_byte_order_mark_is_skipped(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + TEXT.encode())
    assert load_study(path).text == TEXT


def test_the_ready_study_is_the_designs_sample():
    study = load_study(QUICK)
    assert study.text == TEXT
    grid = grid_of(study)
    assert (grid.n_points, grid.n_blocks, grid.n_excluded) == (72, 24, 0)
    assert grid.shape == (1, 1, 2, 3, 2, 2, 1, 1, 3)
    check_available(study)


@pytest.mark.parametrize("path", sorted(QUICK.parent.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_ready_study_can_be_run(path):
    check_available(load_study(path))


def test_what_the_ready_study_leaves_out_is_the_default():
    required = ("study", "material", "reference", "dislocations", "axes")
    fields = {key: value for key, value in yaml.safe_load(TEXT).items() if key in required}
    assert Study.model_validate(fields).model_dump() == load_study(QUICK).model_dump()


def test_a_study_is_immutable():
    study = load_study(QUICK)
    with pytest.raises(ValueError, match="frozen"):
        study.seed = 1
    with pytest.raises(ValueError, match="frozen"):
        study.axes.replica = 3


def test_tables_equal_the_packages_they_stand_for():
    assert list(ELEMENTS) == ase.data.chemical_symbols[1:]
    base = matscipy.dislocation.CubicCrystalDislocation
    quadrupoles = matscipy.dislocation.CubicCrystalDislocationQuadrupole
    structures = {
        name: getattr(kind, "crystalstructure", None)  # abstract ones have none
        for name, kind in vars(matscipy.dislocation).items()
        if isinstance(kind, type) and issubclass(kind, base) and not issubclass(kind, quadrupoles)
    }
    classes = {name: structure for name, structure in structures.items() if isinstance(structure, str)}
    assert classes == MATSCIPY_CLASSES
    for structure in STRUCTURES:
        assert {CLASSES[name] for name in names_for(structure).values()} == {structure}
        short = {name: of for name, of in names_for(structure).items() if name != of}
        assert short == kernels.dislocations.NAMES[structure]
    assert (
        MATSCIPY_CLASSES
        | {name: of.crystalstructure for name, of in kernels.dislocation_classes.CLASSES.items()}
        == CLASSES
    )


def test_a_study_loads_without_the_ranks_packages():
    forbidden = {"jax", "mpi4py", "lammps", "ace_jax", "kernels", "matscipy", "ase"}
    modules = "sweep.study, sweep.study.availability, sweep.fingerprint"
    code = f"import sys, {modules}; print(*{forbidden!r}.intersection(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=QUICK.parents[1]
    )
    assert loaded.stdout.split() == []


@pytest.mark.parametrize("module", [sweep.study.text, sweep.study.messages, sweep.study.dislocation_names])
def test_examples(module):
    assert doctest.testmod(module).failed == 0
