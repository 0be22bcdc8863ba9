"""Advice as sections of rows, the same for a terminal and for plain lines."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sweep.advice.advice import Advice
from sweep.advice.trials import DISLOCATION, RADIUS, Labels
from sweep.advice.words import label_words, listed, number, unit_words, whole

#: What stands where a row is about everything simulated, and where there is nothing to say.
ALL, NONE = "all", "-"


@dataclass(frozen=True)
class Section:
    """One part of advice.

    Parameters
    ----------
    name
        One word, for programs.
    title
        What it shows, for people.
    columns
        Headings.
    rows
        As many texts as there are columns.
    note
        A line beneath; empty for none.
    labels
        Of the columns, those that together name a point.
    places
        Of the columns, those that name what is simulated.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    labels: tuple[str, ...] = ()
    places: tuple[str, ...] = ()


def sections_of(advice: Advice) -> tuple[Section, ...]:
    """Put advice into sections: cheapest points, front, weighting, observations, dislocations left out."""
    return (
        _cheapest(advice),
        _front(advice),
        _weighting(advice),
        _observations(advice),
        _transfers(advice),
        *([_elsewhere(advice)] if advice.elsewhere else []),
    )


def _cheapest(advice: Advice) -> Section:
    names = _names(found.point for found in advice.cheapest)
    columns = (
        *_places(advice),
        "verdict",
        *names,
        "labelled atoms",
        "basis size",
        f"{advice.error}{_unit(advice)}",
        f"limit{_unit(advice)}",
        "replicas",
        "reason",
    )
    rows = [
        (
            *_place(advice, found.simulated),
            found.verdict,
            *_cells(found.point, names),
            whole(found.labelled_atoms),
            whole(found.basis_size),
            number(found.typical),
            number(found.upper),
            f"{found.replicas}",
            found.reason,
        )
        for found in advice.cheapest
    ]
    note = "fewest labelled atoms come first, then the smallest basis; limits hold for all points compared"
    if len({found.simulated.get(DISLOCATION) for found in advice.cheapest if found.simulated}) > 1:
        note += "; errors are per line period, which differs between dislocations"
    return Section("cheapest", "Cheapest point", columns, tuple(rows), note, names, _places(advice))


def _front(advice: Advice) -> Section:
    names = _names(member.point for front in advice.fronts for member in front.points)
    columns = (
        *_places(advice),
        "labelled atoms",
        f"{advice.error}{_unit(advice)}",
        f"limit{_unit(advice)}",
        "replicas",
        "basis size",
        *names,
    )
    rows = [
        (
            *_place(advice, front.simulated),
            whole(member.labelled_atoms),
            number(member.typical),
            number(member.upper),
            f"{member.replicas}",
            whole(member.basis_size),
            *_cells(member.point, names),
        )
        for front in advice.fronts
        for member in front.points
    ]
    note = "; ".join(sorted({front.reason for front in advice.fronts if not front.points}))
    return Section("front", "What labelling buys", columns, tuple(rows), note, names, _places(advice))


def _weighting(advice: Advice) -> Section:
    best = advice.weighting
    if best.weighting is None:
        return Section("weighting", "Weighting to regret least", (), (), best.reason)
    names = tuple(best.weighting)
    columns = ("choice", *names, "regret", "low", "high", "over the best's", "worst for")
    ends = (number(value) for value in (best.regret, best.low, best.high))
    rows = [("best", *_cells(best.weighting, names), *ends, "1", listed(best.simulated) or NONE)]
    if best.second is not None:
        over = number(best.second_ratio)
        rows.append(("second", *_cells(best.second, names), NONE, NONE, NONE, over, NONE))
    slices = ", ".join(best.slice_dims) or "nothing"
    note = f"regret: error over that of the slice's best weighting; slices by {slices}; {best.reason}"
    return Section("weighting", "Weighting to regret least", columns, tuple(rows), note, names)


def _observations(advice: Advice) -> Section:
    columns = ("observation", *_places(advice), "verdict", "error with / without", "low", "high", "reason")
    rows = [
        (
            effect.observation,
            *_place(advice, effect.simulated, known=effect.replicas > 0),
            effect.verdict,
            number(effect.ratio),
            number(effect.low),
            number(effect.high),
            "; ".join(filter(None, [effect.reason, effect.failures])),
        )
        for effect in advice.effects
    ]
    note = f"add next: {advice.add_next}" if advice.add_next else "add next: none is known to help"
    title = "What each observation does"
    return Section("observations", title, columns, tuple(rows), note, places=_places(advice))


def _transfers(advice: Advice) -> Section:
    names = list(dict.fromkeys(name for each in advice.transfers for name in each.weighting or {}))
    columns = ("left out", *names, "verdict", "error over its own best", "low", "high", "reason")
    rows = [
        (
            each.left_out or "-",
            *_cells(each.weighting, names),
            each.verdict,
            number(each.ratio),
            number(each.low),
            number(each.high),
            "; ".join(filter(None, [each.reason, each.failures])),
        )
        for each in advice.transfers
    ]
    return Section(
        "transfers",
        "Weighting chosen on the other dislocations",
        columns,
        tuple(rows),
        "each dislocation's potentials are fitted to its own training sets: the choice of weights is what carries over",
    )


def _elsewhere(advice: Advice) -> Section:
    columns = ("trained on", "judged on", "verdict", "error over its own", "low", "high", "trusted", "reason")
    rows = [
        (
            each.trained,
            each.judged,
            each.verdict,
            *(number(value) for value in (each.ratio, each.low, each.high)),
            f"{each.trusted} of {each.estimates}",
            each.reason,
        )
        for each in advice.elsewhere
    ]
    note = (
        "error over that of fits trained on the judged dislocation, estimated unless both are relaxed; all are trained "
        "on bulk too"
    )
    return Section("elsewhere", "Trained on one dislocation, judged on another", columns, tuple(rows), note)


def _places(advice: Advice) -> tuple[str, ...]:
    """Name what is simulated, as far as the store does."""
    known = [found.simulated for found in advice.cheapest]
    return tuple(name for name in (DISLOCATION, RADIUS) if any(name in labels for labels in known))


def _place(advice: Advice, simulated: Labels, *, known: bool = True) -> list[str]:
    missing = ALL if known else NONE
    return [label_words(simulated.get(name, missing)) for name in _places(advice)]


def _names(points: Iterable[Labels | None]) -> tuple[str, ...]:
    """Name the labels of points."""
    return tuple(dict.fromkeys(name for point in points for name in point or {}))


def _cells(point: Labels | None, names: Iterable[str]) -> list[str]:
    return [label_words(point[name]) if point else NONE for name in names]


def _unit(advice: Advice) -> str:
    unit = unit_words(advice.units)
    return f" ({unit})" if unit else ""
