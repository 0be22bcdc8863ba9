"""Users' files in the conventions of ASE and libAtoms, and every label that is refused."""

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.lj import LennardJones
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms
from mpi4py import MPI

from kernels.assembly import factors
from kernels.environments import cell_environments
from kernels.labelled_files import VACUUM, LabelError, labelled_set
from tests.kernels.crystals import LATTICE, SPEC, bulk_set

ZERO = -8.9


def crystal(seed=0, atoms=4):
    """A sheared cell and its Lennard-Jones labels, none of whose components vanishes."""
    generator = np.random.default_rng(seed)
    cell = LATTICE * np.diag([1.0, 1.2, 1.4]) @ (np.eye(3) + 0.1 * generator.normal(size=(3, 3)))
    positions = generator.uniform(size=(1, 3)) @ cell + np.linspace(0, 0.8, atoms)[:, None] * cell.sum(axis=0)
    structure = Atoms(f"W{atoms}", positions=positions, cell=cell, pbc=True)
    structure.calc = LennardJones(sigma=1.5, rc=4.0, smooth=True)
    labels = {
        "energy": structure.get_potential_energy(),
        "forces": structure.get_forces(),
        "stress": structure.get_stress(voigt=False),
    }
    return structure, labels


def bare(structure):
    copied = structure.copy()
    copied.calc = None
    return copied


def in_ase(structure, labels):
    """As ASE writes what a calculator computed: energy, forces, stress."""
    copied = bare(structure)
    copied.calc = SinglePointCalculator(copied, **labels)
    return copied


def in_libatoms(structure, labels):
    """As QUIP and GAP have it: a virial, in a unit of energy."""
    copied = bare(structure)
    copied.info["dft_energy"] = labels["energy"]
    copied.info["dft_virial"] = -labels["stress"] * structure.get_volume()
    copied.arrays["dft_force"] = labels["forces"]
    return copied


def in_voigt(structure, labels):
    """As MACE's own files have it, the stress by six components in ASE's order."""
    copied = bare(structure)
    copied.info["REF_energy"] = labels["energy"]
    copied.info["REF_stress"] = labels["stress"][[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
    copied.arrays["REF_forces"] = labels["forces"]
    return copied


def with_both(structure, labels):
    copied = bare(structure)
    copied.info |= {"energy": labels["energy"], "stress": labels["stress"]}
    copied.info["virial"] = -labels["stress"] * structure.get_volume()
    copied.arrays["forces"] = labels["forces"]
    return copied


def written(path, *frames):
    ase.io.write(path, list(frames), format="extxyz")
    return str(path)


def read(*files, **options):
    return labelled_set(MPI.COMM_SELF, files=list(files), element="W", **{"energy_per_atom": ZERO, **options})


@pytest.mark.parametrize("convention", [in_ase, in_libatoms, in_voigt, with_both])
def test_every_convention_is_minus_the_derivative_by_strain(tmp_path, convention):
    """The virial against differences of the energy, so that signs and order owe nothing to any convention."""
    structure, labels = crystal()
    found = read(written(tmp_path / "a.xyz", convention(structure, labels)))
    assert found["energies"][0] == pytest.approx(labels["energy"] - 4 * ZERO, rel=1e-7)
    assert np.allclose(found["forces"], labels["forces"], atol=1e-7)
    step = 1e-5

    def energy(strain):
        strained = structure.copy()
        strained.set_cell(structure.cell.array @ (np.eye(3) + strain), scale_atoms=True)
        strained.calc = structure.calc
        return strained.get_potential_energy()

    for found_one, pair in zip(
        found["virials"][0], [(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)], strict=True
    ):
        strain = np.zeros((3, 3))
        strain[pair] += step / 2
        strain[pair[::-1]] += step / 2
        difference = -(energy(strain) - energy(-strain)) / (2 * step)
        assert found_one == pytest.approx(difference, abs=1e-5 * np.abs(found["virials"]).max())


def test_positions_and_cells_are_those_of_the_file(tmp_path):
    frames = [in_ase(*crystal(seed, atoms)) for seed, atoms in ((0, 4), (1, 3), (2, 5))]
    one, two = written(tmp_path / "a.xyz", *frames[:2]), written(tmp_path / "b.xyz", frames[2])
    found = read(one, two)
    assert found["atoms"].tolist() == [4, 3, 5]
    assert np.allclose(found["positions"], np.concatenate([f.positions for f in frames]), atol=1e-7)
    assert np.allclose(found["cells"], [f.cell.array for f in frames])
    assert found["virials"].shape == (3, 6)


def test_constrained_atoms_keep_their_forces(tmp_path):
    structure, labels = crystal()
    structure.set_constraint(FixAtoms([1, 2]))
    copied = structure.copy()
    copied.calc = SinglePointCalculator(copied, **labels)
    ase.io.write(
        tmp_path / "a.xyz", copied, format="extxyz", columns=["symbols", "positions", "forces", "move_mask"]
    )
    assert np.allclose(read(str(tmp_path / "a.xyz"))["forces"], labels["forces"], atol=1e-7)


def test_named_keys_come_first(tmp_path):
    structure, labels = crystal()
    frame = in_libatoms(structure, labels)
    frame.info["energy"] = 17.0
    frame.info["spare stress"] = labels["stress"] * 2
    path = written(tmp_path / "a.xyz", frame)
    with pytest.raises(LabelError, match=r"frame 0: .*may both be the energy"):
        read(path)
    found = read(path, keys={"energy": "dft_energy"})
    assert found["energies"][0] == pytest.approx(labels["energy"] - 4 * ZERO, rel=1e-7)
    twice = read(path, keys={"energy": "dft_energy", "stress": "spare stress"})
    assert np.allclose(twice["virials"], 2 * found["virials"], rtol=1e-6)


def test_what_is_not_observed_need_not_be_there(tmp_path):
    structure, labels = crystal()
    frame = bare(structure)
    frame.arrays["force"] = labels["forces"]
    path = written(tmp_path / "a.xyz", frame)
    found = read(path, observations=["forces"])
    assert np.isnan(found["energies"]).all()
    assert np.isnan(found["virials"]).all()
    np.savez(tmp_path / "set.npz", **found)
    made = factors(MPI.COMM_SELF, basis=SPEC, files=str(tmp_path / "set.npz"), observations=["forces"])
    assert made["forces_bulk_rows"] == 12
    with pytest.raises(LabelError, match="frame 0: it has no energy"):
        read(path)


def without(name):
    def changed(frame):
        frame.calc.results.pop(name)

    return changed


def put(name, value):
    def changed(frame):
        frame.calc.results[name] = value

    return changed


def spoilt_force(frame):
    frame.calc.results["forces"][1, 2] = np.nan


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (
            without("energy"),
            r"has no energy \(looked for energy, dft_energy, ref_energy; it has forces, stress\)",
        ),
        (without("forces"), "has no forces"),
        (without("stress"), "has no virial or stress"),
        (put("energy", np.nan), "'energy' holds a value that is not finite"),
        (spoilt_force, "'forces' holds a value that is not finite"),
        (put("stress", np.full(6, np.inf)), "'stress' holds a value that is not finite"),
    ],
)
def test_a_label_that_is_missing_or_nan_is_named(tmp_path, spoil, words):
    frames = [in_ase(*crystal(seed)) for seed in range(3)]
    spoil(frames[1])
    path = written(tmp_path / "mine.xyz", *frames)
    with pytest.raises(LabelError, match=rf"mine.xyz, frame 1: .*{words}"):
        read(path)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("dft_virial", np.arange(5.0), r"'dft_virial' has 5 values of shape \(5,\); wanted is \(3, 3\)"),
        ("dft_virial", np.arange(6.0), r"'dft_virial' has 6 values"),
        ("dft_virial", np.arange(9.0), "'dft_virial' is not symmetric"),
        ("dft_virial", "large", "'dft_virial' is not numeric"),
        ("dft_energy", np.arange(2.0), r"'dft_energy' has 2 values"),
        # as ASE reads energy=T
        ("dft_energy", True, "'dft_energy' is true or false, not a number"),
        ("stress", np.eye(3), "'dft_virial' is not minus the volume times 'stress'"),
    ],
)
def test_a_label_of_a_wrong_shape_is_named(tmp_path, key, value, words):
    frames = [in_libatoms(*crystal(seed)) for seed in range(2)]
    frames[1].info[key] = value
    path = written(tmp_path / "mine.xyz", *frames)
    with pytest.raises(LabelError, match=rf"mine.xyz, frame 1: .*{words}"):
        read(path)


def test_a_stress_of_the_wrong_sign_is_noticed_beside_a_virial(tmp_path):
    frame = with_both(*crystal())
    frame.info["virial"] = -frame.info["virial"]
    with pytest.raises(LabelError, match="check their signs"):
        read(written(tmp_path / "a.xyz", frame))


def test_another_element_is_named(tmp_path):
    frame = in_libatoms(*crystal())
    frame.symbols[2] = "Mo"
    with pytest.raises(LabelError, match="frame 0: it holds Mo; the potential is of W alone"):
        read(written(tmp_path / "a.xyz", frame))


def test_keys_of_what_is_no_label_are_refused(tmp_path):
    with pytest.raises(LabelError, match="keys for force: only energy, forces, virial, stress"):
        read(written(tmp_path / "a.xyz", in_ase(*crystal())), keys={"force": "f"})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no frame"),
        ("2\nProperties=species:S:1:pos:R:3\nW 0 0 0\n", "frame 0: this is not extended XYZ"),
        ("1\nProperties=species:S:1:pos:R:3\nW 0 zero 0\n", "frame 0: this is not extended XYZ"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, text, words):
    (tmp_path / "mine.xyz").write_text(text)
    with pytest.raises(LabelError, match=f"mine.xyz.*{words}"):
        read(str(tmp_path / "mine.xyz"))


def test_a_file_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(LabelError, match=r"absent.xyz"):
        read(str(tmp_path / "absent.xyz"))


@pytest.mark.parametrize("periodic", [(False, False, False), (True, False, True)])
def test_what_is_not_periodic_is_given_a_vacuum(tmp_path, periodic):
    structure, labels = crystal()
    frame = in_ase(structure, labels)
    frame.set_pbc(periodic)
    if not any(periodic):
        frame.set_cell(None)
    path = written(tmp_path / "a.xyz", frame)
    with pytest.raises(LabelError, match="not periodic in all directions"):
        read(path)
    found = read(path, observations=["energy", "forces"])
    wanted = structure.copy()
    wanted.set_pbc(periodic)
    radius = 0.4 * VACUUM
    pairs = ase.neighborlist.neighbor_list("d", wanted, radius)
    around = cell_environments(found["positions"], found["cells"][0], radius)
    distances = np.linalg.norm(around.vectors(found["positions"]), axis=-1)[around.mask]
    assert np.allclose(np.sort(distances), np.sort(pairs), atol=1e-6)


def test_files_have_the_factors_of_the_same_cells_made_by_us(tmp_path):
    """A generated set, written as extended XYZ and read back, is the same training set."""
    cells = bulk_set(3)
    frames = []
    for number in range(3):
        frame = Atoms("W16", positions=cells["positions"][number], cell=cells["cells"][number], pbc=True)
        frame.info["energy"] = cells["energies"][number] + 16 * ZERO
        tensor = cells["virials"][number][[0, 5, 4, 5, 1, 3, 4, 3, 2]].reshape(3, 3)
        frame.info["virial"] = tensor
        frame.arrays["forces"] = cells["forces"][number]
        frames.append(frame)
    np.savez(tmp_path / "files.npz", **read(written(tmp_path / "a.xyz", *frames)))
    np.savez(tmp_path / "bulk.npz", **cells)
    ours = factors(MPI.COMM_SELF, basis=SPEC, bulk=str(tmp_path / "bulk.npz"))
    theirs = factors(MPI.COMM_SELF, basis=SPEC, files=str(tmp_path / "files.npz"))
    assert theirs["labelled_atoms"] == ours["labelled_atoms"]
    for kind in ("energy_bulk", "forces_bulk", "virial_bulk"):
        assert theirs[f"{kind}_rows"] == ours[f"{kind}_rows"]
        norms = np.linalg.norm(ours[kind], axis=0)
        difference = theirs[kind].T @ theirs[kind] - ours[kind].T @ ours[kind]
        assert (np.abs(difference) <= 1e-6 * np.outer(norms, norms)).all()


def test_energies_count_from_the_references_crystal_unless_another_zero_is_given(tmp_path):
    structure, labels = crystal()
    path = written(tmp_path / "a.xyz", in_ase(structure, labels))
    material = {"energy_per_atom": -3.0, "lattice_constant": LATTICE}
    own = read(path, energy_per_atom=None, material=material)
    assert own["energies"][0] == pytest.approx(labels["energy"] + 4 * 3.0, rel=1e-7)
    assert read(path, material=material)["energies"][0] == pytest.approx(
        labels["energy"] - 4 * ZERO, rel=1e-7
    )
    with pytest.raises(LabelError, match="no zero of the energies"):
        read(path, energy_per_atom=None)


@pytest.mark.parametrize("shift", [-3.0, 40.0])
def test_energies_with_another_zero_are_refused(tmp_path, shift):
    """No structure lies far below the crystal, and some of a set should lie near it."""
    cells = bulk_set(2)
    frames = []
    for number in range(2):
        frame = Atoms("W16", positions=cells["positions"][number], cell=cells["cells"][number], pbc=True)
        frame.info["energy"] = cells["energies"][number] + 16 * (ZERO + shift)
        frames.append(frame)
    path = written(tmp_path / "a.xyz", *frames)
    with pytest.raises(LabelError, match=r"eV per atom from the perfect crystal's -8\.9 eV"):
        read(path, observations=["energy"])
    assert len(read(path, observations=["energy"], energy_per_atom=ZERO + shift)["energies"]) == 2
