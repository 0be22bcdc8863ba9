"""How much memory a call needs at most: the kernel's own account of this process, begun anew for each call."""

from __future__ import annotations

import os
import resource

_ACCOUNT = "/proc/self/clear_refs"
# What begins the account of the peak anew (proc(5)), and nothing else.
_BEGIN_ANEW = b"5"


def begin_anew() -> bool:
    """Forget the peak so far; whether this machine can."""
    try:
        account = os.open(_ACCOUNT, os.O_WRONLY)
        try:
            os.write(account, _BEGIN_ANEW)
        finally:
            os.close(account)
    except OSError:
        return False
    return True


def peak_bytes() -> int:
    """Give the largest resident memory of this process since `begin_anew`, in bytes.

    Examples
    --------
    >>> peak_bytes() > 1_000_000
    True
    """
    # Linux counts in units of 1024 bytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
