"""What `sweep verify` does: check, print each finding as it comes, say what is to be mended."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from rich.console import Console

from sweep.location import StoreLike
from sweep.store import StoreError
from sweep.verify.findings import Weight
from sweep.verify.verify import verify_store

CLEAN, TO_MEND, REFUSED = 0, 1, 2


def show_verified(
    store: StoreLike,
    *,
    run_folder: Path | None = None,
    artefacts: Path | None = None,
    as_json: bool = False,
) -> int:
    """Verify a store and print what was found.

    Parameters
    ----------
    store, run_folder, artefacts
        As in `sweep.verify.verify_store`.
    as_json
        Print JSON.

    Returns
    -------
    int
        Exit status: 0 clean, 1 something to mend, 2 no store.
    """
    errors = Console(stderr=True, soft_wrap=True, highlight=False)
    found = []
    try:
        for finding in verify_store(store, run_folder=run_folder, artefacts=artefacts):
            found.append(finding)
            if not as_json:
                sys.stdout.write(finding.line + "\n")
    except (StoreError, OSError) as error:
        errors.print(f"sweep: {error}", markup=False)
        return REFUSED
    faults = sum(finding.weight is Weight.fault for finding in found)
    if as_json:
        rows = [
            {"weight": each.weight.value, "where": each.where, "what": each.what, "mend": each.mend}
            for each in found
        ]
        sys.stdout.write(json.dumps(rows, indent=1) + "\n")
    else:
        sys.stdout.write(f"{faults} to mend\n" if faults else "nothing to mend\n")
    return TO_MEND if faults else CLEAN
