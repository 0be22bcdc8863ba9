"""A clamped cylinder under the reference potential: relaxed by forces alone, energies told as differences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import quad_vec

from kernels.course import Solve
from kernels.descent import descend
from kernels.evaluations import Flags, Floats, Reference
from kernels.laplacian import NeighbourLaplacian
from kernels.neighbourhoods import collapsed_pair
from kernels.pairs import pairs_within
from kernels.relaxation import anderson_chord
from kernels.stability import followed_down, lowest_mode

# Force evaluations after which a descent gives way to the potential's own minimiser, and of that.
MOST_STEPS, MOST_EVALUATIONS = 400, 5000
# It is given what came down to this share of the force at the start.
NEAR = 0.1
# A core that still stands on a saddle after so many departures is refused.
MOST_DEPARTURES = 4
# Atoms this much beyond the cutoff of every atom that moves cannot come to feel one, Å: a relaxing core moves its
# atoms by tenths of it, and so does the strain around it.
RELAXATION_MARGIN = 1.0
# A relaxation that ended below this force is near enough for it, wherever it began, eV/Å.
NEAR_FORCE = 1e-3
# The work along a path is integrated to this, and refused beyond that, eV. Potentials whose second derivatives jump
# (Finnis–Sinclair's) need hundreds of points where smooth ones need 15.
WORK_ACCURACY, WORK_LIMIT = 1e-7, 1e-5
WORK_PANELS = 300


class EquilibriumError(RuntimeError):
    """A reference relaxation that did not end in a stable equilibrium."""


class Relaxed(NamedTuple):
    """Where a relaxation of the reference ended.

    Attributes
    ----------
    corrector : (n, 3) ndarray
        Å, zero on the fixed shell.
    residual : float
        Largest force component on a free atom, eV/Å.
    evaluations : int
        Evaluations of all forces.
    """

    corrector: Floats
    residual: float
    evaluations: int


class ReferenceCylinder:
    """The atoms of a clamped cylinder, held by a reference potential.

    Parameters
    ----------
    reference : Reference
        It holds no other system from now on.
    cylinder : mapping
        The arrays of `kernels.cylinders.ClampedCylinder`, or more.
    material : mapping
        See `kernels.materials.bulk_properties`.
    """

    def __init__(
        self, reference: Reference, cylinder: Mapping[str, NDArray[Any]], material: Mapping[str, Any]
    ) -> None:
        self._cylinder, self._material = cylinder, material
        self._free: Flags = cylinder["free"]
        self._predicted: Floats = cylinder["sites"] + cylinder["predictor"]
        self._period = float(cylinder["period"])
        # what no free atom comes near never changes: left out, here and in the differences of energies
        self._cutoff = reference.cutoff
        self._distant = _beyond_reach(
            self._free, self._predicted, self._period, self._cutoff + RELAXATION_MARGIN
        )
        self._system = reference.cylinder(self._predicted, self._period, self._distant)
        self._potential = reference.named
        self._laplacian = NeighbourLaplacian.of(cylinder, material)

    @property
    def _named(self) -> str:
        radius = float(np.max(np.hypot(*self._cylinder["sites"][self._free].T[:2])))
        return f"the dislocation of {radius:.1f} Å ({self._potential})"

    def descended(self, corrector: Floats, force_tolerance: float) -> Relaxed:
        """Go down to a minimum by forces, preconditioned with the neighbour Laplacian.

        Parameters
        ----------
        corrector : (n, 3) ndarray
            Where to begin, Å: off any saddle.
        force_tolerance : float
            Largest force component left on a free atom, eV/Å.

        Raises
        ------
        EquilibriumError
            If the tolerance is not met, by the potential's own minimiser neither, or two atoms have met.

        Notes
        -----
        `kernels.descent.descend`. From the predictor to 1e-8 eV/Å it took 29 force evaluations where LAMMPS's
        conjugate gradients took 221 and 435 (iron screw, 25 and 60 Å), 53 for 426 (Finnis–Sinclair tungsten edge,
        30 Å), and ended in the same minima.
        """
        course = descend(
            self._forces,
            self._laplacian,
            corrector[self._free],
            tolerance=force_tolerance,
            most_evaluations=MOST_STEPS,
        )
        if course.converged:
            return self._ended(course.displacement, course.residual, course.evaluations)
        # an energy without a lowest point would keep a minimiser falling: only what came near is worth its while
        if course.outcome == "blew up" or course.residual > max(NEAR * course.residuals[0], NEAR_FORCE):
            self._check_distances(self._positions(course.displacement))
            raise self._not_relaxed(course.outcome, course.residual, force_tolerance, course.evaluations)
        start = self._positions(course.displacement)
        found = self._system.minimise(start, self._free, force_tolerance, MOST_EVALUATIONS)
        evaluations = course.evaluations + found.force_evaluations
        if not found.converged:
            raise self._not_relaxed("did not end", found.residual_force, force_tolerance, evaluations)
        moved = (found.positions - self._predicted)[self._free]
        return self._ended(moved, found.residual_force, evaluations)

    def _not_relaxed(self, how: str, residual: float, tolerance: float, evaluations: int) -> EquilibriumError:
        return EquilibriumError(
            f"the relaxation of {self._named} {how}: after {evaluations} evaluations a force of {residual:.1e} eV/Å is "
            f"left (wanted: {tolerance:.0e}); try another simulation radius, or a potential that holds this core"
        )

    def settled(self, corrector: Floats, force_tolerance: float) -> Relaxed:
        """Go down until there is neither a force nor a mode that leads further down.

        The softest mode relative to the Laplacian is looked for by differences of forces: where no Hessian is to be
        had, this is what tells a minimum from a saddle.

        Raises
        ------
        EquilibriumError
            As `descended`; or if it ends on a saddle time and again.
        """
        evaluations = 0

        def counted(unknowns: Floats) -> Floats:
            nonlocal evaluations
            evaluations += 1
            return self._forces(unknowns)

        for _ in range(1 + MOST_DEPARTURES):
            found = self.descended(corrector, force_tolerance)
            evaluations += found.evaluations
            point = found.corrector[self._free]
            mode = lowest_mode(counted, self._laplacian, point)
            if mode.stable:
                return found._replace(evaluations=evaluations)
            corrector = corrector.copy()
            corrector[self._free] = followed_down(counted, self._laplacian, mode, point)
        raise self.on_a_saddle(f"a relative stiffness of {mode.stiffness:.2g}")

    def polished(self, corrector: Floats, force_tolerance: float, solve: Solve) -> Relaxed:
        """Finish near an equilibrium by chord steps with a Hessian; by `descended` where they stall.

        Parameters
        ----------
        corrector : (n, 3) ndarray
            Where to begin, Å.
        force_tolerance : float
            Largest force component left on a free atom, eV/Å.
        solve : callable
            Forces on the free atoms to the displacement they call for, Å.
        """
        course = anderson_chord(self._forces, solve, corrector[self._free], tolerance=force_tolerance)
        if course.converged:
            return self._ended(course.displacement, course.residual, course.evaluations)
        found = self.descended(corrector, force_tolerance)
        return found._replace(evaluations=found.evaluations + course.evaluations)

    def on_a_saddle(self, found: str) -> EquilibriumError:
        """Make, not raise, the error for a core that does not leave its saddle."""
        return EquilibriumError(
            f"{self._named} still stands on a saddle after {MOST_DEPARTURES} departures ({found}); choose another "
            "simulation radius, so that its core settles in a minimum"
        )

    def site_energy_difference(self, corrector: Floats) -> Floats:
        """Evaluate V(D(u0+u)) − V(Du0) of each site, eV: the difference of two totals would lose a rate's digits.

        A potential that has no energies per site gives minus the work of the forces on each atom along the straight
        path instead, by adaptive quadrature: other parts of the same sum.

        Raises
        ------
        EquilibriumError
            If that work cannot be had to `WORK_LIMIT`.
        """
        relaxed = self._system.evaluate(self._positions(corrector[self._free]))
        if not relaxed.per_site:
            return self._minus_work(corrector)
        return relaxed.site_energies - self._system.evaluate(self._predicted).site_energies

    def _minus_work(self, corrector: Floats) -> Floats:
        def power(along: float) -> Floats:
            forces = self._system.forces(self._positions(along * corrector[self._free]))
            each = np.sum(forces * corrector, axis=1)
            # the sum first: it is what has to be accurate
            return np.append(each.sum(), each)

        work, error = quad_vec(
            power,
            0.0,
            1.0,
            epsabs=WORK_ACCURACY,
            epsrel=0.0,
            norm="max",
            limit=WORK_PANELS,
            quadrature="gk15",
        )
        if not error <= WORK_LIMIT:
            raise EquilibriumError(
                f"the energy of {self._named} is known to {error:.0e} eV only: its forces jump; give a calculator "
                "that has energies per atom"
            )
        return -np.asarray(work[1:], dtype=float)

    def _forces(self, unknowns: Floats) -> Floats:
        return self._system.forces(self._positions(unknowns))[self._free]

    def _positions(self, unknowns: Floats) -> Floats:
        positions = self._predicted.copy()
        positions[self._free] += unknowns
        return positions

    def _ended(self, unknowns: Floats, residual: float, evaluations: int) -> Relaxed:
        positions = self._positions(unknowns)
        if (self._distant & ~_beyond_reach(self._free, positions, self._period, self._cutoff)).any():
            raise EquilibriumError(
                f"in {self._named} an atom came to feel a part of the fixed shell that was left out: the core has "
                "moved to the boundary; choose a larger simulation radius"
            )
        self._check_distances(positions)
        corrector = np.zeros_like(self._predicted)
        corrector[self._free] = unknowns
        return Relaxed(corrector, residual, evaluations)

    def _check_distances(self, positions: Floats) -> None:
        if (pair := collapsed_pair(positions, self._period, self._material)) is not None:
            first, second, distance = pair
            raise EquilibriumError(
                f"in {self._named} atoms {first} and {second} came as close as {distance:.2f} Å, "
                "below half a bond; this potential does not keep them apart"
            )


def _beyond_reach(free: Flags, positions: Floats, period: float, reach: float) -> Flags:
    """Sites that no free site comes near."""
    pairs = pairs_within(positions, period, reach)
    distant = ~free
    distant[pairs.first[free[pairs.second]]] = False
    return distant
