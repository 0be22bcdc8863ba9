"""What of the study format this version runs: the one place that knows."""

from __future__ import annotations

from sweep.study.document import Study


def check_available(study: Study) -> None:
    """Refuse a valid study that this version does not run yet.

    Parameters
    ----------
    study
        A valid study.

    Raises
    ------
    StudyError
        At the first field that asks for more than this version has. The message names field and value, and
        what to use instead.
    """
    for field, value, instead in _unavailable(study):
        raise study.refusal(
            f"{field} {value} is part of the study format, but this version does not run it yet; {instead}"
        )


def _unavailable(study: Study) -> list[tuple[str, str, str]]:
    """List what this version lacks, as (field, value, what to do instead)."""
    lacking: list[tuple[str, str, str]] = []
    if study.measures and study.simulation.predictor == "potential":
        # they are given the reference's sites
        named = f"{study.measures[0].function} with simulation.predictor potential"
        lacking.append(("measures", named, "leave measures out, or use predictor: reference"))
    return lacking
