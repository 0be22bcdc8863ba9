"""Which of a block's estimated points are relaxed, where the study does not ask for all of them."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sweep.grid import Block, Weighting
from sweep.trust import trust_of
from sweep.variables import Trust

# Estimates this many times the smallest of their block may be of the best fits: errors of the neighbours on a weight
# grid share what an estimate misses, so that its ranking is much better than its value.
NEAR_BEST = 1.1
#: Variables that a choice is made from.
ESTIMATES = ("geometry_estimate", "trust_ratio", "stiffness_estimate")

Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]


class Estimates(NamedTuple):
    """What is known of a block's points before any is relaxed, in the order of its weightings."""

    #: Linear-response estimate of the geometry error (Å), NaN where there is none.
    geometry: Floats
    #: Values of `sweep.variables.Trust`.
    trust: NDArray[np.uint8]

    @classmethod
    def of(cls, values: Mapping[str, ArrayLike], weightings: int) -> Estimates:
        """Take them from a block's values by their names in the store, NaN where one is missing."""
        geometry, ratio, stiffness = (
            np.broadcast_to(np.asarray(values.get(name, np.nan), dtype=float), weightings)
            for name in ESTIMATES
        )
        return cls(geometry, trust_of(ratio, stiffness))

    @property
    def unchecked(self) -> Flags:
        """Points with an estimate of which nobody has asked whether it can be trusted: a large screen asks of few."""
        return np.asarray(np.isfinite(self.geometry) & (self.trust == Trust.unknown))


class Choice(Protocol):
    """Says which points of a block are relaxed, given their estimates: a mask over its weightings."""

    @property
    def by_trust(self) -> bool:
        """Whether it needs to know of every estimate if it can be trusted."""
        ...

    def __call__(self, block: Block, estimates: Estimates) -> Flags:
        """Choose."""
        ...


@dataclass(frozen=True)
class SampledPoints:
    """Relax a random share of a block's points, and those whose estimates may decide or may deceive.

    Chosen are (1) a random share, which keeps the estimates honest; (2) points whose estimate is not trusted, or that
    have none; (3) points whose estimate is within `NEAR_BEST` times the smallest trusted or unchecked one of their
    block: those that a user would take; (4) points estimated above a geometry error, where one is given.

    A point's place in the sample follows from the seed and from its labels alone: it stays when axes grow, and a
    resumed run makes the same choice.

    Parameters
    ----------
    seed
        The study's.
    weightings
        Of every block, in the store's order.
    sample
        Share of the points that is drawn, from 0 to 1.
    above
        Geometry error (Å) above which estimates are not relied on; None for no such limit.
    """

    seed: int
    weightings: tuple[Weighting, ...]
    sample: float
    above: float | None = None

    @property
    def by_trust(self) -> bool:
        """Always: what is not trusted is relaxed."""
        return True

    def __call__(self, block: Block, estimates: Estimates) -> Flags:
        """Choose among a block's points; a mask of shape (weightings,)."""
        return chosen(estimates, draws(self.seed, block, self.weightings), self.sample, self.above)


@dataclass(frozen=True)
class ListedPoints:
    """Relax the points that are listed.

    Parameters
    ----------
    points
        Their blocks and weightings.
    weightings
        Of every block, in the store's order.
    """

    points: frozenset[tuple[Block, Weighting]]
    weightings: tuple[Weighting, ...]

    @property
    def by_trust(self) -> bool:
        """Never: whoever listed them has chosen."""
        return False

    @cached_property
    def _of_block(self) -> dict[Block, set[Weighting]]:
        found: dict[Block, set[Weighting]] = defaultdict(set)
        for block, weighting in self.points:
            found[block].add(weighting)
        return dict(found)

    def __call__(self, block: Block, estimates: Estimates) -> Flags:  # noqa: ARG002 - as a choice is called
        """Choose among a block's points; a mask of shape (weightings,)."""
        own = self._of_block.get(block, set())
        return np.array([weighting in own for weighting in self.weightings])


def chosen(estimates: Estimates, drawn: Floats, sample: float, above: float | None = None) -> Flags:
    """Choose points of one block by the four reasons of `SampledPoints`.

    Parameters
    ----------
    estimates
        Of W points.
    drawn
        Shape (W,): numbers in [0, 1), a point's own.
    sample, above
        As in `SampledPoints`.

    Returns
    -------
    ndarray of bool
        Shape (W,).

    Examples
    --------
    >>> trust = np.array([Trust.trusted] * 3 + [Trust.distrusted], dtype=np.uint8)
    >>> known = Estimates(np.array([0.02, 0.021, 0.05, 0.01]), trust)
    >>> chosen(known, np.array([0.9, 0.9, 0.9, 0.9]), 0.1).tolist()
    [True, True, False, True]
    """
    geometry, distrusted = estimates.geometry, estimates.trust == Trust.distrusted
    relied_on = np.isfinite(geometry) & ~distrusted
    smallest = float(np.min(geometry[relied_on], initial=np.inf))
    mask = (drawn < sample) | distrusted | ~np.isfinite(geometry)
    mask |= relied_on & (geometry <= NEAR_BEST * smallest)
    if above is not None:
        mask |= geometry > above
    return np.asarray(mask)


def draws(seed: int, block: Block, weightings: Sequence[Weighting]) -> Floats:
    """Draw a number in [0, 1) for each point of a block, from the seed and the point's labels alone.

    Examples
    --------
    >>> block = Block("screw", 25.0, 6, 8.0, 4, 0)
    >>> few = draws(0, block, [Weighting(1, 1, 0)])
    >>> more = draws(0, block, [Weighting(1, 0, 0), Weighting(1, 1, 0)])
    >>> bool(few[0] == more[1] != more[0])
    True
    """
    place = hashlib.blake2b(f"{seed};{block.key}".encode(), digest_size=32).digest()
    numbers = [
        hashlib.blake2b(repr(astuple(weighting)).encode(), key=place, digest_size=8).digest()
        for weighting in weightings
    ]
    # 53 bits: as many as a number between 0 and 1 holds, so that none rounds to 1
    return (np.frombuffer(b"".join(numbers), dtype="<u8") >> np.uint64(11)).astype(float) / 2.0**53
