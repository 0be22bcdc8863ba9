"""The launchers that a cluster file may name, and the command that starts a gang's ranks with each."""

from __future__ import annotations

from pathlib import PurePath

MPIEXEC = "mpiexec"
SRUN = tuple(f"srun --mpi={protocol}" for protocol in ("pmi2", "pmix"))
LAUNCHERS = (MPIEXEC, *SRUN)
"""The launchers by name; the absolute path of a site's own ``mpiexec`` (MPICH's, or one of its ABI) is another."""

# Each answers for something that went wrong without it.
SRUN_OPTIONS = (
    # srun waits for ever for the others when one rank has died
    "--kill-on-bad-exit=1",
    # a job submitted with --export=NONE would start its ranks without any environment
    "--export=ALL",
    # a new gang need not wait until SLURM has put away the step of the one that it replaces
    "--overlap",
)


def check_launcher(name: str) -> str:
    """Return the name of a launcher with single spaces.

    Raises
    ------
    ValueError
        It is none of `LAUNCHERS` and not the absolute path of an ``mpiexec``.

    Examples
    --------
    >>> check_launcher("srun  --mpi=pmi2")
    'srun --mpi=pmi2'
    >>> check_launcher("mpirun")
    Traceback (most recent call last):
    ...
    ValueError: 'mpirun' is no launcher: write mpiexec, srun --mpi=pmi2, srun --mpi=pmix or the path /… of an mpiexec
    """
    plain = " ".join(name.split())
    if plain in LAUNCHERS or _is_site_mpiexec(name):
        return plain if plain in LAUNCHERS else name
    raise ValueError(f"{name!r} is no launcher: write {', '.join(LAUNCHERS)} or the path /… of an mpiexec")


def launcher_command(name: str, ranks: int, nodes: int = 1) -> tuple[str, ...]:
    """Return the command that starts `ranks` ranks, spread evenly over the first `nodes` nodes of the job.

    It is `GangOptions.launcher`; the ranks' own command is appended. ``mpiexec`` without a path is that of the
    running environment, else the first on PATH.

    Parameters
    ----------
    name : str
        One of `LAUNCHERS`, or the absolute path of a site's ``mpiexec``. Ours (hydra, the `mpich` wheel) asks
        SLURM by itself for the job's nodes and starts its proxies there through ``srun``. ``srun --mpi=pmi2`` serves
        the wheel's MPI too; ``srun --mpi=pmix`` only an MPI that was built with PMIx, never the wheel's.
    ranks : int
        Number of ranks.
    nodes : int
        Number of nodes.

    Raises
    ------
    ValueError
        The launcher is unknown, or `ranks` is not a multiple of `nodes`.

    Examples
    --------
    >>> launcher_command("mpiexec", ranks=4)
    ('mpiexec', '-n', '4')
    >>> launcher_command("mpiexec", ranks=4, nodes=2)
    ('mpiexec', '-n', '4', '-ppn', '2')
    >>> launcher_command("srun --mpi=pmi2", ranks=2)[-2:]
    ('--ntasks=2', '--ntasks-per-node=2')
    """
    launcher = check_launcher(name)
    if ranks < 1 or nodes < 1:
        raise ValueError(f"ranks is {ranks} and nodes is {nodes}: give at least one of each")
    if ranks % nodes:
        raise ValueError(f"{ranks} ranks do not spread evenly over {nodes} nodes: give a multiple of {nodes}")
    per_node = ranks // nodes
    if launcher in SRUN:
        program, protocol = launcher.split()
        shape = (f"--nodes={nodes}", f"--ntasks={ranks}", f"--ntasks-per-node={per_node}")
        return (program, protocol, *SRUN_OPTIONS, *shape)
    # one host needs no -ppn, and a site's mpiexec may not know it
    return (launcher, "-n", str(ranks), *(("-ppn", str(per_node)) if nodes > 1 else ()))


def _is_site_mpiexec(name: str) -> bool:
    path = PurePath(name)
    return path.is_absolute() and path.name.startswith(MPIEXEC)
