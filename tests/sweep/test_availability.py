from pathlib import Path

import pytest

from sweep.study import StudyError, read_study
from sweep.study.availability import check_available
from sweep.study.dislocation_names import STRUCTURES, names_for

TEXT = (Path(__file__).parents[2] / "studies" / "quick.yaml").read_text(encoding="utf-8")

UNAVAILABLE = [
    ("seed: 0", "simulation: {predictor: potential}", r"predictor potential .* use reference"),
]


@pytest.mark.parametrize(("available", "asked", "message"), UNAVAILABLE)
def test_what_this_version_lacks_is_valid_and_refused(available, asked, message):
    study = read_study(TEXT.replace(available, asked, 1), "quick.yaml")
    with pytest.raises(StudyError, match=rf"^quick\.yaml: .*{message}"):
        check_available(study)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_every_dislocation_of_every_structure_is_available(structure):
    classes = {}
    for name, of in names_for(structure).items():
        classes.setdefault(of, name)
    text = (
        TEXT.replace("bcc}", f"{structure}}}")
        .replace(
            "{preset: tungsten-snap}",
            "{lammps: {pair_style: eam/alloy, pair_coeff: ['* * a.alloy W']}}",
        )
        .replace("[screw]", f"[{', '.join(classes.values())}]")
    )
    check_available(read_study(text))
