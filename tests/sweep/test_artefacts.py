from __future__ import annotations

import multiprocessing
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweep.artefacts import ArtefactDamagedError, ArtefactFolder, Recipe, RecipeError

FUNCTION = "kernels.materials:elastic_constants"
RECIPE = Recipe(FUNCTION, 1, {"element": "W", "strain": 1e-3})
ARRAYS = {
    "moduli": np.array([[517.7, 194.5], [np.nan, -0.0]]),
    "free": np.array([True, False]),
    "names": np.array(["W", "ū"]),
    "count": np.int64(3),
    "file": np.zeros((0, 3), dtype=np.float32),
}

numbers = st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False)
plain = st.recursive(
    st.none() | st.booleans() | numbers | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.from_regex(r"[a-z]+", fullmatch=True), inner)
    ),
    max_leaves=6,
)
inputs = st.dictionaries(st.from_regex(r"[a-z]+", fullmatch=True), plain, max_size=4)


def reordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: reordered(value[name]) for name in reversed(list(value))}
    if isinstance(value, list):
        return tuple(reordered(part) for part in value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53:
        return np.float64(value)
    return value


@given(inputs)
def test_the_key_ignores_order_and_how_numbers_are_written(given_inputs: dict[str, Any]) -> None:
    assert Recipe(FUNCTION, 1, given_inputs).key == Recipe(FUNCTION, 1, reordered(given_inputs)).key


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_different_numbers_have_different_keys(first: float, second: float) -> None:
    keys = {Recipe(FUNCTION, 1, {"x": first}).key, Recipe(FUNCTION, 1, {"x": second}).key}
    assert len(keys) == len({first, second})


def test_the_key_tells_apart_what_differs() -> None:
    cluster = Recipe("kernels.dislocations:cylinder", 1, {"radius": 25})
    variants = [
        RECIPE,
        Recipe(FUNCTION, 2, RECIPE.inputs),
        Recipe("kernels.materials:lattice", 1, RECIPE.inputs),
        Recipe(FUNCTION, 1, {"element": "W"}),
        Recipe(FUNCTION, 1, {"x": True}),
        Recipe(FUNCTION, 1, {"x": 1}),
        Recipe(FUNCTION, 1, {"x": "1"}),
        Recipe(FUNCTION, 1, {"x": None}),
        Recipe(FUNCTION, 1, {"x": cluster}),
        Recipe(FUNCTION, 1, {"x": cluster.key}),
        Recipe(FUNCTION, 1, {"x": Recipe("kernels.dislocations:cylinder", 1, {"radius": 26})}),
    ]
    assert len({recipe.key for recipe in variants}) == len(variants)


def test_keys_never_change() -> None:
    # The digits are SHA-256 of the text below, from sha256sum: old artefacts stay valid.
    # {"function":"m:f","inputs":{"a":25},"version":1}
    assert Recipe("m:f", 1, {"a": 25.0}).key == "1e7d830462b9cc15c30b6073580aadf7a642cf8a"


@pytest.mark.parametrize("value", [np.nan, np.inf, Path("x"), np.zeros(2), {1: 2}, {"__key__": "a"}, b"x"])
def test_inputs_without_a_definite_form_are_refused_by_name(value: Any) -> None:
    with pytest.raises(RecipeError, match=r"inputs\.deep\[0\]"):
        Recipe(FUNCTION, 1, {"deep": [value]})


@pytest.mark.parametrize(("function", "version"), [("f", 1), (":f", 1), ("m:", 1), ("m:f", 0), ("m:f", True)])
def test_a_recipe_needs_a_function_and_a_version(function: str, version: int) -> None:
    with pytest.raises(RecipeError, match="recipe"):
        Recipe(function, version)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    folder = ArtefactFolder(tmp_path / "made" / "late")
    assert not folder.has(RECIPE)
    path = folder.write(RECIPE, ARRAYS)
    assert path == folder.path_of(RECIPE.key)
    assert folder.has(RECIPE)
    assert ArtefactFolder(folder.path).has(RECIPE.key)
    read = folder.read(RECIPE)
    assert set(read) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert read[name].dtype == np.asarray(array).dtype
        np.testing.assert_array_equal(read[name], array)
    with np.load(path, allow_pickle=False) as plain_file:
        np.testing.assert_array_equal(plain_file["moduli"], ARRAYS["moduli"])
        assert FUNCTION in str(plain_file["__recipe__"])


def test_nested_recipes_are_written_out_once() -> None:
    inner = Recipe("m:inner", 1, {"note": "unmistakable"})
    middle = [Recipe("m:middle", 1, {"inner": inner, "part": part}) for part in range(3)]
    text = Recipe("m:outer", 1, {"parts": middle, "inner": inner}).text
    assert text.count("unmistakable") == 1
    assert all(recipe.key in text for recipe in [inner, *middle])


def test_the_first_writer_wins(tmp_path: Path) -> None:
    folder = ArtefactFolder(tmp_path)
    first = folder.write(RECIPE, {"x": np.array([1.0])})
    assert folder.write(RECIPE, {"x": np.array([2.0])}) == first
    assert folder.read(RECIPE)["x"] == [1.0]
    assert [path.name for path in first.parent.iterdir()] == [first.name]


@pytest.mark.parametrize("name", ["__checksum__", "a b", "a/b", ""])
def test_reserved_and_odd_names_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="cannot name an array"):
        ArtefactFolder(tmp_path).write(RECIPE, {name: np.zeros(1)})


def test_objects_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="pickling"):
        ArtefactFolder(tmp_path).write(RECIPE, {"x": np.array([None])})
    assert list(tmp_path.iterdir()) == []


def test_a_missing_artefact_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=FUNCTION):
        ArtefactFolder(tmp_path).read(RECIPE)
    with pytest.raises(RecipeError, match="not an artefact's key"):
        ArtefactFolder(tmp_path).path_of("../../etc")


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sweep.artefacts.os.fsync", full)
    folder = ArtefactFolder(tmp_path)
    (tmp_path / RECIPE.key[:2]).mkdir()
    with pytest.raises(OSError, match="No space"):
        folder.write(RECIPE, ARRAYS)
    assert list((tmp_path / RECIPE.key[:2]).iterdir()) == []


def _equal(read: dict[str, np.ndarray]) -> bool:
    return set(read) == set(ARRAYS) and all(
        read[name].dtype == np.asarray(array).dtype and read[name].tobytes() == np.asarray(array).tobytes()
        for name, array in ARRAYS.items()
    )


@settings(max_examples=300)
@given(st.data())
def test_a_flipped_bit_is_found_or_does_no_harm(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = ArtefactFolder(tmp_path_factory.mktemp("flip")).write(RECIPE, ARRAYS)
    folder = ArtefactFolder(path.parents[1])
    contents = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(contents) - 1))
    contents[place] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(contents)
    # Some of a zip's bytes, such as its time stamps, carry nothing; any other change must be found.
    if folder.has(RECIPE):
        assert _equal(folder.read(RECIPE))
    else:
        assert path.with_name(f"{path.name}.damaged-1").read_bytes() == contents


def test_every_flipped_byte_of_an_array_is_found(tmp_path: Path) -> None:
    folder = ArtefactFolder(tmp_path)
    path = folder.write(RECIPE, ARRAYS)
    contents = path.read_bytes()
    where = contents.index(np.asarray(ARRAYS["moduli"]).tobytes())
    for offset in range(32):
        damaged = bytearray(contents)
        damaged[where + offset] ^= 0x10
        path.write_bytes(damaged)
        with pytest.raises(ArtefactDamagedError, match="make it again"):
            folder.read(RECIPE)
        # Remade, it is whole again, and every damaged copy is kept.
        folder.write(RECIPE, ARRAYS)
        assert _equal(folder.read(RECIPE))
    assert len(list(path.parent.glob("*.damaged-*"))) == 32


def test_a_changed_array_with_a_valid_zip_is_found(tmp_path: Path) -> None:
    folder = ArtefactFolder(tmp_path)
    path = folder.write(RECIPE, {"x": np.array([1.0])})
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    entries["x.npy"] = entries["x.npy"].replace(np.float64(1).tobytes(), np.float64(2).tobytes())
    with zipfile.ZipFile(path, "w") as archive:
        for name, entry in entries.items():
            archive.writestr(name, entry)
    assert not folder.has(RECIPE)


@pytest.mark.parametrize("kept", [0, 1, 100, -1])
def test_a_truncated_artefact_is_moved_aside(tmp_path: Path, kept: int) -> None:
    folder = ArtefactFolder(tmp_path)
    path = folder.write(RECIPE, ARRAYS)
    path.write_bytes(path.read_bytes()[:kept])
    assert folder.has(RECIPE, verify=False)
    assert not folder.has(RECIPE)
    assert not path.exists()


def _write_mine(path: Path, writer: int, barrier: Any, answers: Any) -> None:
    barrier.wait()
    folder = ArtefactFolder(path)
    folder.write(RECIPE, {"writer": np.full(100_000, writer)})
    answers.put(int(folder.read(RECIPE)["writer"][0]))


def test_simultaneous_writers_agree_on_one_artefact(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(4), context.Queue()
    writers = [
        context.Process(target=_write_mine, args=(tmp_path, writer, barrier, answers)) for writer in range(4)
    ]
    for process in writers:
        process.start()
    seen = {answers.get(timeout=60) for _ in writers}
    for process in writers:
        process.join()
        assert process.exitcode == 0
    answers.close()
    assert len(seen) == 1
    assert len(list(tmp_path.rglob("*.*"))) == 1
