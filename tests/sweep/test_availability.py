from pathlib import Path

import pytest

from sweep.study import StudyError, read_study
from sweep.study.availability import check_available

TEXT = (Path(__file__).parents[2] / "studies" / "quick.yaml").read_text(encoding="utf-8")

UNAVAILABLE = [
    ("[screw]", "[screw, edge]", r"dislocations\[1\] edge .* use screw"),
    ("{preset: tungsten-snap}", "{ase: {calculator: 'a:b'}}", r"reference ase .* use a preset or lammps"),
    ("source: large", "source: own", r"training\.core\.source own .* use large"),
    ("replica: 2", "replica: 2\n  cutoff: [5]", r"axes cutoff .* set basis\.cutoff"),
    ("relax: all", "relax: {sample: 0.1, above: 0.05}", r"fidelity\.relax .* use all or none"),
    ("seed: 0", "simulation: {comparison_radius: 90.0}", r"comparison_radius 90\.0 .* leave it out"),
    ("seed: 0", "simulation: {predictor: potential}", r"predictor potential .* use reference"),
]


@pytest.mark.parametrize(("available", "asked", "message"), UNAVAILABLE)
def test_what_this_version_lacks_is_valid_and_refused(available, asked, message):
    study = read_study(TEXT.replace(available, asked, 1), "quick.yaml")
    with pytest.raises(StudyError, match=rf"^quick\.yaml: .*{message}"):
        check_available(study)


def test_a_crystal_this_version_lacks_is_refused():
    text = TEXT.replace("bcc}", "fcc}").replace(
        "{preset: tungsten-snap}", "{lammps: {pair_style: eam/alloy, pair_coeff: ['* * a.alloy W']}}"
    )
    with pytest.raises(StudyError, match=r"material\.structure fcc .* use bcc"):
        check_available(read_study(text))
