"""Training files of a study: which are found, what they count by, and what is refused."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.artefacts import ArtefactFolder
from sweep.fingerprint import differences, fingerprint
from sweep.kernel_arguments import resolved
from sweep.study import read_study
from sweep.study.errors import StudyError, TrainingFilesError
from sweep.study.resolved import ResolvedLammps
from sweep.study.training_files import ResolvedTrainingFiles, TrainingFile, find_training_files

TEXT = """\
study: trial
material: {element: W, structure: bcc}
reference: {preset: tungsten-snap}
dislocations: [screw]
training: TRAINING
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


def study_of(training="{}"):
    return read_study(TEXT.replace("TRAINING", training), "trial.yaml")


def folder_of(path, **contents):
    """A folder with files; two underscores in a name stand for a subfolder."""
    for name, text in contents.items():
        file = path / f"{name.replace('__', '/')}.xyz"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return path


def found(path, training):
    return find_training_files(study_of(training), path)


def names(files):
    return [file.name for file in files.files]


def test_a_study_without_files_has_none(tmp_path):
    assert not find_training_files(study_of(), tmp_path)


def test_what_was_edited_or_removed_since_it_was_hashed_is_told(tmp_path):
    folder_of(tmp_path, a="1", b="2", c="3")
    files = found(tmp_path, "{files: ['*.xyz']}")
    assert files.changed() == []
    (tmp_path / "a.xyz").write_text("4")
    (tmp_path / "b.xyz").unlink()
    assert [path.name for path in files.changed()] == ["a.xyz", "b.xyz"]


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ("['*.xyz']", ["a.xyz", "b.xyz"]),
        ("[b.xyz, '*.xyz']", ["b.xyz", "a.xyz"]),
        ("['?.xyz', ./a.xyz]", ["a.xyz", "b.xyz"]),
        ("['**/*.xyz']", ["a.xyz", "b.xyz", "sub/c.xyz"]),
        ("['sub/[cd].xyz']", ["sub/c.xyz"]),
    ],
)
def test_patterns_find_files_beside_the_study_each_once(tmp_path, patterns, expected):
    folder_of(tmp_path, a="1", b="2", sub__c="3")
    files = found(tmp_path, f"{{files: {patterns}}}")
    assert names(files) == expected
    assert all(file.path.is_absolute() for file in files.files)
    assert all(file.sha256 == hashlib.sha256(file.path.read_bytes()).hexdigest() for file in files.files)


def test_a_name_with_brackets_of_its_own_is_found(tmp_path):
    (tmp_path / "w[1].xyz").write_text("1")
    assert names(found(tmp_path, "{files: ['w[1].xyz']}")) == ["w[1].xyz"]


def test_an_absolute_name_counts_without_its_folder(tmp_path):
    folder_of(tmp_path / "elsewhere", a="1")
    assert names(found(tmp_path, f"{{files: ['{tmp_path}/elsewhere/*.xyz']}}")) == ["a.xyz"]


def test_a_relative_study_folder_gives_absolute_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(folder_of(tmp_path, a="1"))
    (file,) = find_training_files(study_of("{files: ['*.xyz']}"), Path()).files
    assert file.path == (tmp_path / "a.xyz").resolve()


@pytest.mark.parametrize("pattern", ["*.extxyz", "nowhere/*.xyz", "sub", "x" * 300, "[", "/nowhere/*.xyz"])
def test_a_pattern_that_matches_no_file_is_refused(tmp_path, pattern):
    folder_of(tmp_path, a="1", sub__c="3")
    with pytest.raises(StudyError, match=r"^trial\.yaml: training\.files\[1\]: no file matches") as caught:
        found(tmp_path, f"{{files: [a.xyz, '{pattern}']}}")
    assert isinstance(caught.value, FileNotFoundError)
    assert str(tmp_path) in str(caught.value)
    assert pattern in str(caught.value)


def test_files_with_the_same_contents_are_refused(tmp_path):
    folder_of(tmp_path, a="1", b="1")
    with pytest.raises(
        TrainingFilesError, match=r"training\.files\[0\]: .*a\.xyz and .*b\.xyz hold the same"
    ):
        found(tmp_path, "{files: ['*.xyz']}")


def test_files_of_one_name_are_refused(tmp_path):
    folder_of(tmp_path, a="1")
    folder_of(tmp_path / "elsewhere", a="2")
    with pytest.raises(TrainingFilesError, match=r"are both called 'a\.xyz'; rename one"):
        found(tmp_path, f"{{files: [a.xyz, {tmp_path}/elsewhere/a.xyz]}}")


def test_a_file_that_cannot_be_read_is_refused(tmp_path, monkeypatch):
    folder_of(tmp_path, a="1")

    def refused(path, *arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(TrainingFilesError, match=r"a\.xyz cannot be read: Permission denied"):
        found(tmp_path, "{files: [a.xyz]}")


@pytest.mark.parametrize(
    ("training", "said"),
    [
        ("{files: []}", "training.files is []"),
        ("{files: '*.xyz'}", "training.files is '*.xyz'; give a list of file names or patterns"),
        ("{files: [a.xyz, a.xyz]}", "training.files names 'a.xyz' twice"),
        ("{files: [7]}", r"training.files[0] is 7"),
        ("{keys: {energy: E}}", "training gives keys of files but names no files"),
        ("{energy_per_atom: -8.9}", "training gives energy_per_atom of files but names no files"),
        ("{files: [a.xyz], keys: {enrgy: E}}", "did you mean energy?"),
        ("{files: [a.xyz], keys: {energy: ''}}", "training.keys.energy is ''; give a word"),
        ("{files: [a.xyz], energy_per_atom: .nan}", "training.energy_per_atom is nan"),
    ],
)
def test_what_says_nothing_of_files_is_refused(training, said):
    with pytest.raises(StudyError) as caught:
        study_of(training)
    assert str(caught.value).startswith("trial.yaml: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


contents = st.lists(st.text(min_size=1), min_size=1, max_size=5, unique=True)


@given(contents, st.randoms())
def test_neither_names_nor_order_nor_folders_count_for_what_is_made_of_the_files(texts, random):
    def resolved_as(order, folder):
        return ResolvedTrainingFiles(
            tuple(
                TrainingFile(
                    Path(folder) / f"{place}.xyz",
                    f"{place}.xyz",
                    hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest(),
                )
                for place, text in enumerate(order)
            )
        )

    other = random.sample(texts, len(texts))
    first, second = resolved_as(texts, "/one"), resolved_as(other, "/two")
    assert first.by_contents() == second.by_contents()
    assert sorted(first.by_names().values()) == sorted(second.by_names().values())


def test_kernels_are_given_paths_for_contents(tmp_path):
    folder_of(tmp_path / "with spaces", a="1", b="2")
    files = found(tmp_path, "{files: ['with spaces/*.xyz']}")
    given = resolved(
        {"files": files.by_contents()}, ArtefactFolder(tmp_path / "artefacts"), files.paths_by_contents()
    )
    assert sorted(given["files"]) == [str(file.path) for file in files.files]


def test_the_fingerprint_follows_the_files_not_the_patterns(tmp_path):
    folder_of(tmp_path, a="1", b="2")

    def of(training):
        study, reference = study_of(training), ResolvedLammps("W", "zbl 1 2", ("74 74",), ())
        return fingerprint(study, reference, {}, {}, find_training_files(study, tmp_path))

    before = of("{files: ['*.xyz']}")
    assert before["training_files"] == {
        name: hashlib.sha256(text).hexdigest() for name, text in (("a.xyz", b"1"), ("b.xyz", b"2"))
    }
    assert of("{files: [b.xyz, a.xyz]}") == before
    folder_of(tmp_path, b="3")
    (changed,) = differences(before, of("{files: ['*.xyz']}"))
    assert changed.startswith("training_files.b.xyz was ")
    (tmp_path / "b.xyz").unlink()
    (gone,) = differences(before, of("{files: ['*.xyz']}"))
    assert gone.endswith("is now absent")
    (zero,) = differences(
        before | {"training_files": {}},
        of("{files: [a.xyz], energy_per_atom: -8.9}") | {"training_files": {}},
    )
    assert zero == "study.training.energy_per_atom was null, is now -8.9"
