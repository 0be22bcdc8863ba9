"""Every dislocation that a study may name, and an element for each structure."""

from __future__ import annotations

from typing import Any

from matscipy import dislocation as matscipy_dislocation

from kernels.dislocation_classes import CLASSES
from kernels.dislocations import NAMES

MATERIALS: dict[str, dict[str, Any]] = {
    "bcc": {"element": "Fe", "lattice_constant": 2.8553, "C11": 243.3, "C12": 145.0, "C44": 116.0},
    "fcc": {"element": "Cu", "lattice_constant": 3.615, "C11": 169.9, "C12": 122.6, "C44": 76.2},
    # the shift of Stillinger–Weber silicon
    "diamond": {"element": "Si", "lattice_constant": 5.431, "C11": 151.4, "C12": 76.4, "C44": 56.4}
    | {"internal_shift": -0.854},
}
for _structure, _material in MATERIALS.items():
    _material["structure"] = _structure


def _classes() -> list[tuple[str, str]]:
    base = matscipy_dislocation.CubicCrystalDislocation
    quadrupoles = matscipy_dislocation.CubicCrystalDislocationQuadrupole
    found = {
        name: of.crystalstructure
        for name, of in (vars(matscipy_dislocation) | CLASSES).items()
        if isinstance(of, type) and issubclass(of, base) and not issubclass(of, quadrupoles)
        if isinstance(getattr(of, "name", None), str)
    }
    return sorted(found.items())


#: Class and structure.
EVERY_CLASS = _classes()
#: Short name and structure.
EVERY_NAME = [(name, structure) for structure, names in NAMES.items() for name in names]
PARTIALS = [(name, structure) for name, structure in EVERY_CLASS if "artial" in name]
