"""Ready references: a name a study may use, and the LAMMPS commands it stands for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Preset:
    """A reference potential that LAMMPS ships.

    Parameters
    ----------
    element, structure
        What the potential was made for.
    pair_style, pair_coeff
        Arguments of the LAMMPS commands of these names, one `pair_coeff` a line.
    cutoff
        Range of the potential (Å).
    source
        Publication.
    """

    element: str
    structure: str
    pair_style: str
    pair_coeff: tuple[str, ...]
    cutoff: float
    source: str


PRESETS: dict[str, Preset] = {
    "tungsten-snap": Preset(
        element="W",
        structure="bcc",
        # As W_2940_2017_2.snap, the file LAMMPS ships beside the coefficients, overlays them.
        pair_style="hybrid/overlay zbl 4.0 4.8 snap",
        pair_coeff=("1 1 zbl 74 74", "* * snap W_2940_2017_2.snapcoeff W_2940_2017_2.snapparam W"),
        cutoff=4.8,
        source="M. A. Wood, A. P. Thompson, arXiv:1702.07042 (2017)",
    ),
}
