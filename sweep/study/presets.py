"""Ready references: a name a study may use, and the potential it stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True)
class Preset:
    """A reference potential that is ready to use.

    Parameters
    ----------
    element, structure
        What the potential was made for.
    cutoff
        Range of the potential (Å).
    source
        Publication.
    """

    element: str
    structure: str
    cutoff: float
    source: str


@dataclass(frozen=True)
class LammpsPreset(Preset):
    """A potential that LAMMPS ships.

    Parameters
    ----------
    element, structure, cutoff, source
        See `Preset`.
    pair_style, pair_coeff
        Arguments of the LAMMPS commands of these names, one `pair_coeff` a line.
    """

    pair_style: str
    pair_coeff: tuple[str, ...]


@dataclass(frozen=True)
class FinnisSinclairPreset(Preset):
    """A potential of Finnis and Sinclair's form, tabulated from its published constants.

    Parameters
    ----------
    element, structure, cutoff, source
        See `Preset`.
    constants
        By their names in the publication: d and c (Å), A (eV/Å), c0 (eV/Å²), c1 (eV/Å³), c2 (eV/Å⁴).
    points
        Of the table. 10,000 leave 4e-10 eV/Å of the forces, and 2e-4 on the rare atoms with a neighbour within a step,
        4e-4 Å, of c, where V'' jumps: the table rounds that corner off.
    """

    constants: Mapping[str, float] = field(hash=False)
    points: int = 10_000


PRESETS: dict[str, Preset] = {
    "tungsten-snap": LammpsPreset(
        element="W",
        structure="bcc",
        # As W_2940_2017_2.snap, the file LAMMPS ships beside the coefficients, overlays them.
        pair_style="hybrid/overlay zbl 4.0 4.8 snap",
        pair_coeff=("1 1 zbl 74 74", "* * snap W_2940_2017_2.snapcoeff W_2940_2017_2.snapparam W"),
        cutoff=4.8,
        source="M. A. Wood, A. P. Thompson, arXiv:1702.07042 (2017)",
    ),
    "tungsten-fs": FinnisSinclairPreset(
        element="W",
        structure="bcc",
        constants=MappingProxyType(
            {
                "A": 1.896373,
                "d": 4.400224,
                "c": 3.25,
                "c0": 47.1346499,
                "c1": -33.7665655,
                "c2": 6.2541999,
            }
        ),
        cutoff=4.400224,
        source="M. W. Finnis, J. E. Sinclair, Philos. Mag. A 50, 45 (1984); erratum 53, 161 (1986)",
    ),
    "molybdenum-snap": LammpsPreset(
        element="Mo",
        structure="bcc",
        pair_style="snap",
        pair_coeff=("* * Mo_Zuo_JPCA2020.snapcoeff Mo_Zuo_JPCA2020.snapparam Mo",),
        cutoff=4.6,
        source="Y. Zuo et al., J. Phys. Chem. A 124, 731 (2020)",
    ),
    "silicon-sw": LammpsPreset(
        element="Si",
        structure="diamond",
        pair_style="sw",
        pair_coeff=("* * Si.sw Si",),
        cutoff=3.77118,
        source="F. H. Stillinger, T. A. Weber, Phys. Rev. B 31, 5262 (1985)",
    ),
    "copper-eam": LammpsPreset(
        element="Cu",
        structure="fcc",
        pair_style="eam/alloy",
        pair_coeff=("* * Cu_mishin1.eam.alloy Cu",),
        cutoff=5.50679,
        source="Y. Mishin et al., Phys. Rev. B 63, 224106 (2001)",
    ),
    "aluminium-eam": LammpsPreset(
        element="Al",
        structure="fcc",
        pair_style="eam/fs",
        pair_coeff=("* * Al_mm.eam.fs Al",),
        cutoff=6.5,
        source="M. I. Mendelev, M. J. Kramer, C. A. Becker, M. Asta, Philos. Mag. 88, 1723 (2008)",
    ),
}
