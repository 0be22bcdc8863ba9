"""MPI ranks owned by one process: started once, called by a kernel's name, replaced when they fail."""

from sweep.gang.errors import GangDied, GangError, GangTimeout, KernelError, LaunchError
from sweep.gang.gang import Gang
from sweep.gang.launchers import check_launcher, launcher_command
from sweep.gang.logs import last_lines, log_of
from sweep.gang.options import GangOptions

__all__ = [
    "Gang",
    "GangDied",
    "GangError",
    "GangOptions",
    "GangTimeout",
    "KernelError",
    "LaunchError",
    "check_launcher",
    "last_lines",
    "launcher_command",
    "log_of",
]
