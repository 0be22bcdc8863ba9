from pathlib import Path

import pytest

from sweep.study import StudyError, read_study
from sweep.study.availability import check_available
from sweep.study.dislocation_names import STRUCTURES, names_for

TEXT = (Path(__file__).parents[2] / "studies" / "quick.yaml").read_text(encoding="utf-8")

OWN_LATTICE = "seed: 0\nsimulation: {predictor: potential}"
UNAVAILABLE = [
    ("seed: 0", 'measures: ["a.b:c"]\nseed: 0', r"measures a\.b:c with .* leave measures out"),
]


@pytest.mark.parametrize(("available", "asked", "message"), UNAVAILABLE)
def test_what_this_version_lacks_is_valid_and_refused(available, asked, message):
    assert available in TEXT
    text = TEXT.replace(available, asked, 1)
    check_available(read_study(text))
    study = read_study(text.replace("seed: 0", OWN_LATTICE, 1), "quick.yaml")
    with pytest.raises(StudyError, match=rf"^quick\.yaml: .*{message}"):
        check_available(study)


def test_both_sources_of_cores_and_both_predictors_are_available():
    text = TEXT.replace("source: large", "source: own")
    assert text != TEXT
    for each in (TEXT, text):
        check_available(read_study(each))
        check_available(read_study(each.replace("seed: 0", OWN_LATTICE, 1)))


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
