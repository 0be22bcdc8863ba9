"""Artefacts that no study needs: what stays, what goes, and when nothing is touched."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from sweep.artefact_users import ArtefactsInUseError, keys_of, mark_finished, register, registrations, using
from sweep.artefacts import ArtefactFolder, Recipe
from sweep.cleaning import clean
from sweep.prepared import Prepared, prepare
from sweep.recipes import needs
from sweep.store import create_store
from tests.sweep.small_store import EDGES

STUDY = """\
study: NAME
material: {element: W, structure: bcc}
reference: {preset: tungsten-fs}
dislocations: [screw]
axes:
  simulation_radius: [12.0]
  degree: [DEGREE]
  domain_radius: [6.0]
  n_train: [2, 4]
  replica: 1
  weight_energy: [1.0]
  weight_forces: [1.0]
  weight_virial: [0.0]
"""


def study(folder: Path, name: str, degree: int) -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(STUDY.replace("NAME", name).replace("DEGREE", str(degree)))
    return path


def enrol(prepared: Prepared) -> None:
    folders = prepared.folders
    register(folders.artefacts, folders.store, folders.run, prepared.recipes, prepared.digest)


def begun(folder: Path, name: str, degree: int, *, registered: bool = True) -> Prepared:
    """A study whose store is set up, and all of whose artefacts are in the shared folder."""
    prepared = prepare(study(folder, name, degree), folder / f"{name}.zarr", folder / "shared")
    attributes = {"study": prepared.study.text, "fingerprint": prepared.fingerprint, "packages": {}}
    if registered:
        enrol(prepared)
    create_store(prepared.folders.store, prepared.grid, EDGES, attributes)
    pending: list[Recipe] = [prepared.recipes.material]
    for block in prepared.grid.blocks():
        pending += prepared.recipes.block_inputs(block).values()
    while pending:
        recipe = pending.pop()
        prepared.artefacts.write(recipe, {"numbers": [1.0, 2.0]})
        pending += needs(recipe)
    return prepared


def cleaned(*places: Path | str, **options: object) -> tuple[int, str]:
    said = io.StringIO()
    console = Console(file=said, soft_wrap=True, width=200)
    status = clean([str(place) for place in places], output=console, errors=console, **options)  # type: ignore[arg-type]
    return status, said.getvalue()


def files(folder: Path) -> set[str]:
    return {path.name for path in (folder / "shared").glob("??/*")}


def names(keys: frozenset[str]) -> set[str]:
    return {f"{key}.npz" for key in keys}


def test_what_another_study_of_the_folder_needs_stays_though_only_one_is_named(tmp_path: Path) -> None:
    one, other = begun(tmp_path, "one", 6), begun(tmp_path, "other", 8)
    before = files(tmp_path)
    status, said = cleaned(str(one.folders.store), artefacts=tmp_path / "shared", yes=True)
    assert status == 0, said
    assert "every file in it is needed" in said
    assert str(other.folders.store) in said
    assert files(tmp_path) == before == names(keys_of(one.recipes)[0] | keys_of(other.recipes)[0])


def test_nothing_goes_without_yes_and_then_only_what_nothing_needs(tmp_path: Path) -> None:
    one = begun(tmp_path, "one", 6)
    unknown = Recipe("kernels.fitting:fit_block", 1, {"of": "a study that was deleted"})
    path = one.artefacts.write(unknown, {"coefficients": [1.0] * 100})
    half = path.with_name(f".{unknown.key}.host-1-ab.tmp")
    damaged = path.with_name(f"{unknown.key}.npz.damaged-1")
    foreign = path.with_name("notes.txt")
    for each in (half, damaged, foreign):
        each.write_text("something")
    before = files(tmp_path)
    status, said = cleaned(artefacts=tmp_path / "shared", listing=True)
    assert status == 0
    assert "--yes removes" in said
    assert "no study needs 3 files" in said
    assert all(str(each) in said for each in (path, half, damaged))
    assert "kernels.fitting:fit_block" in said
    assert files(tmp_path) == before
    assert cleaned(artefacts=tmp_path / "shared", yes=True)[0] == 0
    assert files(tmp_path) == names(keys_of(one.recipes)[0]) | {"notes.txt"}


def test_a_store_that_is_not_found_keeps_its_artefacts_until_it_is_forgotten(tmp_path: Path) -> None:
    one, other = begun(tmp_path, "one", 6), begun(tmp_path, "other", 8)
    status, said = cleaned(artefacts=tmp_path / "shared", forgotten=[str(other.folders.store)], yes=True)
    assert status == 2
    assert "is there, so its artefacts stay" in said
    shutil.rmtree(str(other.folders.store))
    before = files(tmp_path)
    assert "--forget" in cleaned(artefacts=tmp_path / "shared", yes=True)[1]
    assert files(tmp_path) == before
    # what is only said changes nothing
    assert cleaned(artefacts=tmp_path / "shared", forgotten=[str(other.folders.store)])[0] == 0
    assert files(tmp_path) == before
    assert cleaned(artefacts=tmp_path / "shared", forgotten=[str(other.folders.store)], yes=True)[0] == 0
    assert files(tmp_path) == names(keys_of(one.recipes)[0])
    assert [each.store for each in registrations(tmp_path / "shared")] == [str(one.folders.store)]


def test_a_folder_that_a_driver_uses_is_not_touched_and_neither_runs_on_what_is_cleaned(
    tmp_path: Path,
) -> None:
    begun(tmp_path, "one", 6)
    shared = tmp_path / "shared"
    hold = "import sys; from pathlib import Path; from sweep.artefact_users import using\n"
    hold += "with using(Path(sys.argv[1])):\n print('held', flush=True)\n sys.stdin.readline()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(shared)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    ) as driver:
        assert driver.stdout is not None
        assert driver.stdout.readline() == "held\n"
        before = files(tmp_path)
        # drivers share it
        with using(shared):
            pass
        status, said = cleaned(artefacts=shared, yes=True)
        assert status == 2
        assert "in use by" in said
        assert files(tmp_path) == before
        driver.communicate("\n")
    from sweep.artefact_users import alone_with

    with alone_with(shared), pytest.raises(ArtefactsInUseError, match="being cleaned"), using(shared):
        pass


def test_of_a_finished_study_its_results_are_enough_where_the_user_says_so(tmp_path: Path) -> None:
    one, other = begun(tmp_path, "one", 6), begun(tmp_path, "other", 8)
    mark_finished(tmp_path / "shared", one.folders.store)
    assert cleaned(artefacts=tmp_path / "shared", results_only=True, yes=True)[0] == 0
    everything, results = keys_of(one.recipes)
    of_other = keys_of(other.recipes)[0]
    assert results < everything
    assert files(tmp_path) == names(results | of_other)
    folder, block = ArtefactFolder(tmp_path / "shared"), next(iter(one.grid.blocks()))
    assert all(folder.has(recipe) for recipe in one.recipes.block_inputs(block).values())
    assert not folder.has(one.recipes.factors(block))


def test_a_folder_that_says_nothing_of_its_users_is_refused_unless_they_are_named(tmp_path: Path) -> None:
    one = begun(tmp_path, "one", 6, registered=False)
    before = files(tmp_path)
    status, said = cleaned(artefacts=tmp_path / "shared", yes=True)
    assert status == 2
    assert "all of it would go" in said
    assert files(tmp_path) == before
    other = begun(tmp_path, "other", 8, registered=False)
    status, said = cleaned(
        str(one.folders.store), study(tmp_path, "other", 8), artefacts=tmp_path / "shared", yes=True
    )
    assert status == 0, said
    assert files(tmp_path) == names(keys_of(one.recipes)[0] | keys_of(other.recipes)[0])


@pytest.mark.parametrize(
    ("places", "said"),
    [([], "nothing to clean is named"), (["nowhere.zarr"], "no folder of artefacts"), (["x.yaml"], "x.yaml")],
)
def test_what_is_not_there_is_named(tmp_path: Path, places: list[str], said: str) -> None:
    (tmp_path / "x.yaml").write_text("nonsense: 1\n")
    status, message = cleaned(*(tmp_path / place for place in places))
    assert status == 2
    assert said in message


def test_a_registration_that_cannot_be_read_is_no_licence_to_remove(tmp_path: Path) -> None:
    begun(tmp_path, "one", 6)
    next((tmp_path / "shared" / "users").glob("*.json")).write_text("{")
    before = files(tmp_path)
    status, said = cleaned(artefacts=tmp_path / "shared", yes=True)
    assert status == 2
    assert "cannot be read" in said
    assert files(tmp_path) == before


def test_growth_keeps_what_the_earlier_axes_needed(tmp_path: Path) -> None:
    one = begun(tmp_path, "one", 6)
    text = (tmp_path / "one.yaml").read_text().replace("[2, 4]", "[2, 3, 4]")
    (tmp_path / "one.yaml").write_text(text)
    grown = prepare(tmp_path / "one.yaml", str(one.folders.store), tmp_path / "shared")
    enrol(grown)
    (registered,) = registrations(tmp_path / "shared")
    # 4's factors were made from 2's, and are now from 3's
    assert not keys_of(one.recipes)[0] <= keys_of(grown.recipes)[0]
    assert registered.artefacts == keys_of(one.recipes)[0] | keys_of(grown.recipes)[0]
