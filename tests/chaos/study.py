"""A study of iron so small that a hundred kills take minutes, and how it grows from run to run."""

from __future__ import annotations

from pathlib import Path

STUDY = """\
study: chaos-iron
material: {element: Fe, structure: bcc}
reference: {lammps: {pair_style: eam/fs, pair_coeff: ["* * Fe_mm.eam.fs Fe"]}}
dislocations: [screw]
basis: {order: 2, cutoff: 4.5}
training: {bulk: {cells: [2, 2, 2], strain: 0.01, perturbation: 0.05}, core: {perturbation: 0.05}}
simulation: {max_evaluations: 40, comparison_radius: 30.0}
axes:
  simulation_radius: [RADII]
  degree: [6]
  domain_radius: [7.0]
  n_train: [4]
  replica: REPLICAS
  weight_energy: [0.0, 1.0]
  weight_forces: [0.0, 1.0]
  weight_virial: [0.0, 1.0]
"""
NAME = "chaos-iron"
#: Fits of a block, and its one weighting that is none.
FITS, EXCLUDED = 7, 1


def text_of(step: int) -> str:
    """Give the study at a step of its growth: first a further radius, then a further replica each time."""
    return STUDY.replace("RADII", "10.0" if step == 0 else "9.0, 10.0").replace("REPLICAS", str(max(1, step)))


def blocks_of(step: int) -> int:
    """How many blocks the study has at a step."""
    return 1 if step == 0 else 2 * step


def write_study(folder: Path, step: int) -> Path:
    """Write the study of a step, whole or not at all: a run may be reading it."""
    path = folder / f"{NAME}.yaml"
    temporary = folder / "study.new"
    temporary.write_text(text_of(step))
    temporary.replace(path)
    return path
