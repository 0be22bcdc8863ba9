"""Lists of points: what their CSV may hold, and the study and grid that come of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sweep.fingerprint import fingerprint
from sweep.grid import grid_of
from sweep.study import Study, StudyError, load_study, read_study
from sweep.study.point_file import parse_points
from sweep.study.potentials import find_potential_files
from sweep.study.text import parse_yaml

STUDY = """\
study: listed
material: {element: W, structure: bcc}
reference: {preset: tungsten-fs}
dislocations: [screw]
points: points.csv  # beside this file
axes:
  simulation_radius: [12.0, 14.0]
  n_train: [2]
  replica: 1
  weight_energy: [1.0]
  weight_forces: [0.0, 1.0]
"""
POINTS = "degree, domain_radius, weight_virial\n\n8, 6.0, 1\n6, 8, 0\r\n6, 6, 10\n"


def written(folder: Path, points: str | bytes = POINTS, text: str = STUDY) -> Path:
    (folder / "points.csv").write_bytes(points if isinstance(points, bytes) else points.encode())
    (folder / "listed.yaml").write_text(text)
    return folder / "listed.yaml"


def test_the_labels_of_a_list_are_axes_numbers_ascending(tmp_path: Path) -> None:
    study = load_study(written(tmp_path))
    assert study.axes.degree == (6, 8)
    assert study.axes.domain_radius == (6.0, 8.0)
    assert study.axes.weight_virial == (0.0, 1.0, 10.0)
    assert study.axes.simulation_radius == (12.0, 14.0)


def test_a_list_may_name_every_axis_dislocations_too(tmp_path: Path) -> None:
    text = STUDY.partition("dislocations")[0] + "points: points.csv\n"
    text += "axes: {weight_energy: [1.0], weight_forces: [1.0], n_train: [2]}\n"
    points = "dislocation,replica,simulation_radius,degree,domain_radius,weight_virial\n"
    points += "screw,2,12,6,6,0\nedge,0,12,8,6,0\n"
    study = load_study(written(tmp_path, points, text))
    assert study.dislocations == ("screw", "edge")
    assert study.axes.replica == 3
    assert grid_of(study).n_asked == 2


def test_the_grid_asks_for_what_is_listed_and_for_every_label_of_the_other_axes(tmp_path: Path) -> None:
    grid = grid_of(load_study(written(tmp_path)))
    assert grid.n_points == 2 * 2 * 2 * 2 * 3
    assert grid.n_asked == 3 * 2 * 2
    found = [
        (block.simulation_radius, block.degree, block.domain_radius, weighting.forces, weighting.virial)
        for block in grid.blocks()
        for weighting, asked in zip(grid.weightings(), grid.asked(block), strict=True)
        if asked
    ]
    wanted = [
        (radius, degree, domain, forces, virial)
        for radius in (12.0, 14.0)
        for degree, domain, virial in ((6, 6.0, 10.0), (6, 8.0, 0.0), (8, 6.0, 1.0))
        for forces in (0.0, 1.0)
    ]
    assert found == wanted
    assert len(list(grid.blocks())) == 6


def test_a_block_where_only_what_is_no_fit_is_listed_is_not_asked_for(tmp_path: Path) -> None:
    text = STUDY.replace("weight_energy: [1.0]", "weight_energy: [0.0]").replace("[0.0, 1.0]", "[0.0]")
    grid = grid_of(load_study(written(tmp_path, text=text)))
    assert [(block.degree, block.domain_radius) for block in grid.blocks()] == [(6, 6.0), (8, 6.0)] * 2
    assert (grid.n_asked, grid.n_excluded) == (4, 0)


def test_the_study_that_is_kept_needs_no_file(tmp_path: Path) -> None:
    study = load_study(written(tmp_path))
    again = read_study(study.text, "store")
    assert again.model_dump() == study.model_dump()
    assert (again.axes, again.listed, again.text) == (study.axes, study.listed, study.text)
    assert "points: |  # beside this file\n    degree,domain_radius,weight_virial\n" in study.text
    assert Study.model_validate(study.model_dump(mode="json")).axes == study.axes
    flowing = load_study(written(tmp_path, text=json.dumps(parse_yaml(STUDY, "study"))))
    assert flowing.model_dump() == read_study(flowing.text).model_dump() == study.model_dump()


def test_which_points_are_listed_does_not_enter_the_fingerprint(tmp_path: Path) -> None:
    few = load_study(written(tmp_path))
    more = load_study(written(tmp_path, POINTS + "8,8,0\n"))
    product = read_study(
        STUDY.replace("points: points.csv  # beside this file\n", "")
        + "  degree: [6, 8]\n  domain_radius: [6.0, 8.0]\n  weight_virial: [0.0, 1.0, 10.0]\n"
    )
    prints = [
        fingerprint(each, find_potential_files(each, tmp_path), {}, {}) for each in (few, more, product)
    ]
    assert prints[0] == prints[1] == prints[2]
    assert grid_of(few).axes == grid_of(product).axes


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ("", "points.csv: the list is empty"),
        ("degree,domain_radius,weight_virial\n", "there is no point below the line of names"),
        (
            "degre,domain_radius,weight_virial\n6,6,0\n",
            "line 1: 'degre' is not an axis; did you mean degree?",
        ),
        ("degree,degree\n6,6\n", "line 1: degree stands there twice"),
        ("degree,domain_radius,weight_virial\n6,6\n", "line 2: there are 2 labels for 3 columns"),
        (
            "degree,domain_radius,weight_virial\n\nsix,6,0\n",
            "line 3: degree is 'six'; give a whole number from 2",
        ),
        (
            "degree,domain_radius,weight_virial\n6,6,0\n6,nan,0\n",
            "line 3: domain_radius is 'nan'; give a length",
        ),
        ("degree,domain_radius,weight_virial\n6,6,-1\n", "line 2: weight_virial is '-1'; give a number, not"),
        ("degree,domain_radius,weight_virial\n6.5,6,0\n", "line 2: degree is '6.5'; give a whole number"),
        (
            "degree,domain_radius,weight_virial\n6,6,0\n8,6,0\n6,6.0,0.0\n",
            "line 4: this is the point of line 2",
        ),
        ('degree,domain_radius,weight_virial\n6,"6,0\n', "this is not CSV"),
        ("degree,domain_radius\n6,6\n", "no column weight_virial, and axes does not list it"),
        (
            "degree,domain_radius,weight_virial,n_train\n6,6,0,2\n",
            "a column n_train, and axes.n_train is given",
        ),
        (
            "degree,domain_radius,weight_virial,dislocation\n6,6,0,screw\n",
            "a column dislocation, and dislocations is given too",
        ),
        (b"degree\xff\n", "byte 6 is not UTF-8"),
    ],
)
def test_a_bad_list_is_refused_by_file_and_line(tmp_path: Path, points: str | bytes, said: str) -> None:
    study = written(tmp_path, points)
    with pytest.raises(StudyError) as refused:
        load_study(study)
    assert said in str(refused.value)
    assert str(refused.value).startswith(f"{study}: points")


def test_a_list_that_is_not_there_is_refused(tmp_path: Path) -> None:
    study = written(tmp_path)
    (tmp_path / "points.csv").unlink()
    with pytest.raises(StudyError, match=r"points\.csv: there is no such file; put it beside"):
        load_study(study)


def test_a_dislocation_that_is_none_is_refused_by_line() -> None:
    with pytest.raises(
        ValueError, match="points, line 2: dislocation is 'screwy', which is not a dislocation"
    ):
        parse_points("dislocation\nscrewy\n")
