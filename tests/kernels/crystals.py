"""Small perturbed crystals, and artefacts made of them with invented labels."""

import numpy as np

SPEC = {"element": "W", "order": 3, "degree": 5, "cutoff": 4.0}
LATTICE = 3.165
PERIOD = LATTICE * np.sqrt(3.0) / 2.0
MATERIAL = {
    "element": "W",
    "structure": "bcc",
    "lattice_constant": LATTICE,
    "C11": 522.0,
    "C12": 204.0,
    "C44": 161.0,
    "energy_per_atom": -8.9,
}


def sites_around_line(radius):
    """Bcc with <111> along z, one period: positions within a radius of the line, and their distances from it."""
    axes = np.array([[1, -1, 0], [1, 1, -2], [1, 1, 1]]) / np.sqrt([[2], [6], [3]])
    corners = np.stack(np.meshgrid(*[np.arange(-12, 13)] * 3, indexing="ij"), -1).reshape(-1, 3)
    sites = LATTICE * np.concatenate([corners, corners + 0.5]) @ axes.T
    along = sites[:, 2] / PERIOD
    away = np.hypot(sites[:, 0], sites[:, 1])
    inside = (along > -1e-6) & (along < 1 - 1e-6) & (away < radius)
    return sites[inside], away[inside]


def cylinder(radius=14.0, free_radius=7.0, perturbation=0.05, seed=7):
    """A crystal perturbed near its line: positions, and which atoms are free."""
    sites, away = sites_around_line(radius)
    free = away < free_radius
    return sites + perturbation * free[:, None] * np.random.default_rng(seed).normal(size=sites.shape), free


def small_cell():
    """Two atoms in a cell half as wide as the cutoff."""
    generator = np.random.default_rng(2)
    cell = LATTICE * np.eye(3) + 0.1 * generator.normal(size=(3, 3))
    return np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]]) @ cell + 0.1 * generator.normal(size=(2, 3)), cell


def core_set(count, seed=0, domain_radius=4.5):
    """A core training set with random labels, in the layout of the reference side's."""
    generator = np.random.default_rng([seed, 0])
    cutoff = SPEC["cutoff"]
    sites, away = sites_around_line(domain_radius + 2 * cutoff)
    observed = away < domain_radius
    relaxed = sites + 0.02 * np.random.default_rng(99).normal(size=sites.shape)
    positions = relaxed + 0.05 * observed[:, None] * generator.normal(size=(count, *sites.shape))
    return {
        "positions": positions,
        "anchor": np.where(observed[:, None], sites, relaxed),
        "site_radius": away,
        "observed": observed,
        "energy_sites": away < domain_radius + cutoff,
        "forces": generator.normal(size=(count, int(observed.sum()), 3)),
        "energies": generator.normal(size=count),
        "period": np.float64(PERIOD),
    }


def bulk_set(count, seed=0):
    """A bulk training set with random labels."""
    generator = np.random.default_rng([seed, 1])
    cells = 2 * LATTICE * (np.eye(3) + 0.01 * generator.normal(size=(count, 3, 3)))
    corners = np.array(list(np.ndindex(2, 2, 2)), dtype=float) / 2.0
    fractions = np.concatenate([corners, corners + 0.25])
    positions = fractions @ cells + 0.03 * generator.normal(size=(count, 16, 3))
    return {
        "positions": positions,
        "cells": cells,
        "energies": generator.normal(size=count),
        "forces": generator.normal(size=(count, 16, 3)),
        "virials": generator.normal(size=(count, 6)),
    }


def part_of(training_set, chosen):
    """The same set with only some of its configurations."""
    per_configuration = {"positions", "forces", "energies", "cells", "virials"}
    return {
        name: value[chosen] if name in per_configuration else value for name, value in training_set.items()
    }
