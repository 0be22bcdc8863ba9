"""Choices that are the same for every study, so that studies compare and share what they are made from."""

from __future__ import annotations

# Tasks that one Hessian is cut into. Fixed, since it is part of their keys: more workers than this gain nothing there.
HESSIAN_PARTS = 8
# Configurations of each kind on which every fit of a dislocation is judged.
HELD_OUT = 8
# Edges of the bins of the strain-error profile, Å: finer at the core; the same for every study, so profiles compare.
# fmt: off
RADIAL_EDGES = (
    0.0, 3.0, 6.0, 9.0, 12.0, 16.0, 20.0, 25.0, 32.0, 40.0, 50.0, 64.0, 80.0, 100.0, 128.0, 160.0, 1e4,
)
# fmt: on
# Stands where a training set has its replica's index, so that held-out streams differ from every replica's.
HELD_OUT_STREAM = 2**31
# Last number of a random stream's seed, by kind of configuration.
CORE, BULK = 0, 1
# Relaxed before its Hessian is differenced, so that the Hessian is the equilibrium's own to 2e-7, eV/Å.
ROUGH_FORCE = 1e-6
# The reference's own equilibrium is the yardstick: two orders below the tolerance of what is compared with it, eV/Å.
REFERENCE_FORCE = 1e-8
# Both sides of a truncation error: what it leaves of a core of 90 Å is a thousandth of the errors at 30 Å, eV/Å.
COMPARISON_FORCE = 1e-6
# Estimates that a screen checks by a force evaluation each, about a minute of one processor, however many it makes.
ESTIMATES_CHECKED = 5_000
