import math
from pathlib import Path

import pytest

from sweep.study import StudyError, read_study
from sweep.study.messages import shown

TEXT = (Path(__file__).parents[2] / "studies" / "quick.yaml").read_text(encoding="utf-8")

# The message of each kind of slip: the field, its value, what is accepted.

SLIPS = [
    ("degree: [6, 8]", "degree: [6, six]", r"axes\.degree\[1\] is 'six'; .*whole numbers"),
    ("degree: [6, 8]", "degree: ['6']", r"axes\.degree\[0\] is '6'"),
    ("degree: [6, 8]", "degree: [6.0]", r"axes\.degree\[0\] is 6\.0"),
    ("degree: [6, 8]", "degree: [true]", r"axes\.degree\[0\] is true"),
    ("degree: [6, 8]", "degree: [1]", r"axes\.degree\[0\] is 1; .* from 2"),
    ("degree: [6, 8]", "degree: 6", r"axes\.degree is 6; give a list"),
    ("degree: [6, 8]", "degree: []", r"axes\.degree is \[\]; give a list"),
    ("degree: [6, 8]", "degree: [6, 6]", r"axes\.degree names 6 twice"),
    ("degree: [6, 8]", "degree:", r"axes\.degree is empty"),
    ("degree: [6, 8]", "degre: [6]", r"axes\.degre is not a key.*did you mean degree\?"),
    ("degree: [6, 8]", "", r"axes\.degree is missing; give a list"),
    ("[25.0]", "[.nan]", r"axes\.simulation_radius\[0\] is nan; .*above 0"),
    ("[25.0]", "[.inf]", r"axes\.simulation_radius\[0\] is inf"),
    ("[25.0]", "[1e999]", r"axes\.simulation_radius\[0\] is inf"),
    ("[25.0]", "[0]", r"axes\.simulation_radius\[0\] is 0"),
    ("[25.0]", "[25, 25.0]", r"axes\.simulation_radius names 25\.0 twice"),
    ("[25.0]", "[9.0]", r"axes\.domain_radius has 10\.0, beyond the simulation radius 9\.0"),
    ("[25.0]", "[30, 9.0]", r"axes\.domain_radius has 10\.0, beyond the simulation radius 9\.0"),
    ("n_train: [4, 8]", "n_train: [0]", r"axes\.n_train\[0\] is 0"),
    ("replica: 2", "replica: 0", r"axes\.replica is 0; give a whole number from 1"),
    ("replica: 2", "replica: [2]", r"axes\.replica is \[2\]"),
    ("replica: 2", "replica: 2\n  order: [0]", r"axes\.order\[0\] is 0"),
    ("replica: 2", "replica: 2\n  colour: [1]", r"axes\.colour is not a key"),
    ("weight_virial: [0.0", "weight_virial: [-1.0", r"axes\.weight_virial\[0\] is -1\.0; .*none negative"),
    ("element: W", "element: w", r"material\.element is 'w'; .*did you mean W"),
    ("element: W", "element: X", r"material\.element is 'X'; give a chemical symbol"),
    ("element: W", "element: no", r"material\.element is 'no'; .*did you mean No"),
    ("element: W", "element: Mo", r"tungsten-snap', made for bcc W; material is bcc Mo"),
    ("structure: bcc", "structure: hcp", r"material\.structure is 'hcp'.*bcc, fcc or diamond"),
    ("[screw]", "[screww]", r"dislocations\[0\] is 'screww'.*did you mean screw\?"),
    ("[screw]", "[BCCScrew]", r"dislocations\[0\] is 'BCCScrew'.*BCCScrew111Dislocation"),
    ("[screw]", "[60degree]", r"dislocations\[0\] is '60degree', which a bcc crystal does not have"),
    ("[screw]", "[screw, BCCScrew111Dislocation]", r"names one twice: screw and BCCScrew111Dislocation"),
    ("[screw]", "screw", r"dislocations is 'screw'; give a list"),
    (
        "preset: tungsten-snap",
        "preset: tungsten-snp",
        r"reference\.preset is 'tungsten-snp'.*did you mean tungsten-snap",
    ),
    ("{preset: tungsten-snap}", "{}", r"reference names none; give exactly one"),
    (
        "{preset: tungsten-snap}",
        "{ase: {calculator: here}}",
        r'calculator is \'here\'; give "package\.module',
    ),
    (
        "{preset: tungsten-snap}",
        "{preset: tungsten-snap, ase: {calculator: 'a:b'}}",
        r"reference names preset and ase; give exactly one",
    ),
    (
        "{preset: tungsten-snap}",
        "{lammps: {pair_style: eam, pair_coeff: ['pair_coeff * * W']}}",
        r"reference\.lammps has 'pair_coeff .*'; give what follows the command: '\* \* W'",
    ),
    (
        "{preset: tungsten-snap}",
        '{lammps: {pair_style: "eam\\nquit", pair_coeff: [a]}}',
        r"pair_style is 'eam\\nquit'; .*on one line",
    ),
    ("order: 3", "order: 0", r"basis\.order is 0"),
    ("order: 3", "ordre: 3", r"basis\.ordre is not a key.*did you mean order\?"),
    ("cutoff: 5.0", "cutoff: 1.5", r"basis\.cutoff is 1\.5; give a length of at least 2"),
    ("cutoff: 5.0", "cutoff: '5.0'", r"basis\.cutoff is '5\.0'"),
    ("source: large", "source: small", r"training\.core\.source is 'small'; give large or own"),
    ("cells: [2, 2, 2]", "cells: [2, 2]", r"training\.bulk\.cells\[2\] is missing; .*three"),
    ("strain: 0.01", "strain: 1.5", r"training\.bulk\.strain is 1\.5; .*below 1"),
    ("1.0e-6", "-1e-6", r"regularisation is -1e-06; give a number above 0"),
    ("1.0e-6", "'1e-6'", r"regularisation is '1e-6'"),
    ("relax: all", "relax: most", r"fidelity\.relax is 'most'; give all, none or"),
    ("relax: all", "relax: {sample: 2}", r"fidelity\.relax\.sample is 2"),
    ("relax: all", "relax: {abov: 2}", r"fidelity\.relax\.abov is not a key.*above"),
    ("seed: 0", "seed: -1", r"seed is -1"),
    ("seed: 0", "seed: " + "9" * 300, r"seed is a number of 30\d digits"),
    (
        "seed: 0",
        "simulation: {comparison_radius: 74.9}",
        r"comparison_radius is 74\.9, .*give at least 75\.0",
    ),
    ("relax: all", "points: none", r"fidelity\.points is 'none', .*simulation\.comparison_radius"),
    ("study: tungsten-quick", "study: ../away", r"study is '\.\./away'; give a name"),
    ("study: tungsten-quick", "study: 2024", r"study is 2024; give a name.*quote"),
    ("study: tungsten-quick", "", r"study is missing"),
]


@pytest.mark.parametrize(("right", "wrong", "message"), SLIPS)
def test_a_slip_is_named(right, wrong, message):
    assert right in TEXT
    with pytest.raises(StudyError, match=message) as caught:
        read_study(TEXT.replace(right, wrong, 1), "quick.yaml")
    assert str(caught.value).startswith("quick.yaml: ")
    assert str(caught.value).count("\n") <= 1  # a misspelt key is also a missing one


def test_every_weighting_zero_is_refused():
    text = TEXT.replace("weight_energy: [1.0]", "weight_energy: [0]")
    text = text.replace("weight_forces: [1.0]", "weight_forces: [0.0]")
    read_study(text)
    with pytest.raises(StudyError, match="axes has every weighting zero"):
        read_study(text.replace("[0.0, 1.0, 10.0]", "[-0.0]"))


YAML_SLIPS = [
    ("", "the file is empty"),
    ("# only this\n", "the file is empty"),
    ("- study\n", "not a mapping"),
    ("study: a\nmaterial: {element: W\naxes: 1\n", "line 3, column 5: this is not valid YAML"),
    ("study: a\nstudy: b\n", "line 2, column 1: the key 'study' stands here twice"),
    ("study: a\nmaterial: {element: W, element: Fe}\n", "line 2, column 24: the key 'element'"),
    ("study: &a b\nmaterial: *a\n", r"line 2, column 11: the alias \*a is not accepted"),
    ("study: !!python/name:os.system\n", "line 1, column 8: the tag .* is not accepted"),
    ("study: !!bool perhaps\n", "the tag .* is not accepted"),
    ("1: study\n", "line 1, column 1: a key must be a word"),
    ("study: a\n---\nstudy: b\n", "line 2, column 1: this is not valid YAML"),
    ("study: a\n\x07\n", r"line 2: character U\+0007"),
    ("[" * 5000, "nested too deeply"),
]


@pytest.mark.parametrize(("text", "message"), YAML_SLIPS)
def test_a_slip_of_yaml_is_placed(text, message):
    with pytest.raises(StudyError, match=message) as caught:
        read_study(text, "quick.yaml")
    assert str(caught.value).startswith("quick.yaml")


def test_many_slips_are_counted_not_listed():
    text = TEXT.replace("degree: [6, 8]", "degree: [" + ", ".join(["six"] * 50) + "]")
    with pytest.raises(StudyError) as caught:
        read_study(text, "quick.yaml")
    assert str(caught.value).splitlines()[-1] == "quick.yaml: and 45 more"


def test_a_long_value_is_cut():
    assert len(shown("x" * 10**6)) < 100
    assert len(shown([1] * 10**6)) < 100
    assert shown(math.inf) == "inf"
