"""Names of dislocations: what a study may call one, and the class each name means."""

from __future__ import annotations

#: matscipy.dislocation's classes of one dislocation in a cubic crystal, and the structure each is for.
MATSCIPY_CLASSES: dict[str, str] = {
    "BCCEdge100110Dislocation": "bcc",
    "BCCEdge100Dislocation": "bcc",
    "BCCEdge111Dislocation": "bcc",
    "BCCEdge111barDislocation": "bcc",
    "BCCMixed111Dislocation": "bcc",
    "BCCScrew111Dislocation": "bcc",
    "DiamondGlide30degreePartial": "diamond",
    "DiamondGlide60Degree": "diamond",
    "DiamondGlide90degreePartial": "diamond",
    "DiamondGlideScrew": "diamond",
    "FCCEdge110Dislocation": "fcc",
    "FCCEdgeShockleyPartial": "fcc",
    "FCCScrew110Dislocation": "fcc",
    "FCCScrewShockleyPartial": "fcc",
}
#: Those, and the ones that matscipy lacks.
CLASSES: dict[str, str] = MATSCIPY_CLASSES | {
    "DiamondGlideEdge": "diamond",
    "FCC60Degree110Dislocation": "fcc",
}
_SHORT_NAMES: dict[str, dict[str, str]] = {
    "bcc": {
        "screw": "BCCScrew111Dislocation",
        "edge": "BCCEdge111Dislocation",
        "mixed": "BCCMixed111Dislocation",
    },
    "fcc": {
        "screw": "FCCScrew110Dislocation",
        "edge": "FCCEdge110Dislocation",
        "60degree": "FCC60Degree110Dislocation",
    },
    "diamond": {"screw": "DiamondGlideScrew", "edge": "DiamondGlideEdge", "60degree": "DiamondGlide60Degree"},
}
STRUCTURES = tuple(_SHORT_NAMES)
SHORT_NAMES = tuple(dict.fromkeys(name for names in _SHORT_NAMES.values() for name in names))


def names_for(structure: str) -> dict[str, str]:
    """Give every name a study may use in a structure, with the class it means.

    Examples
    --------
    >>> names_for("bcc")["screw"]
    'BCCScrew111Dislocation'
    """
    own = {name: name for name, of in CLASSES.items() if of == structure}
    return _SHORT_NAMES[structure] | own
