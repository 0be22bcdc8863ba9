"""The documentation: it builds without a warning, and every block of code in it runs, in the order of a reader."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sweep
from sweep import figures
from sweep.clusters.batch.cluster_file import load_cluster_file
from sweep.study import read_study
from sweep.variables import CYLINDER_VARIABLES, VARIABLES

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
#: Pages read one after another in one folder: the later ones use the stores of the earlier.
READINGS = [
    ["tutorial.md", "how-to/conclusions.md"],
    ["how-to/own-potential.md"],
    ["how-to/ase-reference.md"],
    ["how-to/own-training-data.md"],
]
#: Read in a checkout, whose stores it asks.
CASE_STUDY = "case-study.md"
#: Not run: that takes a cluster, and tests/deployments has one.
OWN_CLUSTER = "how-to/own-cluster.md"
#: What a reader has done already, in a checkout.
DONE = {". .venv/bin/activate"}


def blocks(page: str) -> list[tuple[str, str]]:
    return BLOCK.findall((DOCS / page).read_text(encoding="utf-8"))


def run(command: list[str], folder: Path) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    ended = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert ended.returncode == 0, f"{command[-1]}\n{ended.stdout}\n{ended.stderr}"


def follow(page: str, folder: Path) -> None:
    python = ""
    for language, text in blocks(page):
        if language == "yaml":
            name = text.partition("\n")[0].removeprefix("# ")
            assert name.endswith(".yaml"), f"{page}: a file's first line names it"
            (folder / name).write_text(text, encoding="utf-8")
        elif language == "sh":
            for line in set(text.splitlines()) & DONE:
                text = text.replace(line, "")
            run(["bash", "-euo", "pipefail", "-c", text], folder)
        elif language == "python":
            # later blocks go on with what earlier ones have defined
            python += text
            run([sys.executable, "-c", python], folder)
        else:
            assert language == "text", f"{page}: nothing runs {language}"


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("pages", READINGS, ids=lambda pages: pages[0])
def test_every_block_of_code_runs(pages: list[str], tmp_path: Path) -> None:
    for page in pages:
        follow(page, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_command_beside_the_case_study_runs() -> None:
    for language, text in blocks(CASE_STUDY):
        if language == "sh":
            # a store that is not shipped yet cannot be asked
            asked = [line for line in text.splitlines() if (ROOT / line.split()[2]).exists()]
            run(["bash", "-euo", "pipefail", "-c", "\n".join(asked)], ROOT)
        elif language == "python":
            run([sys.executable, "-c", text], ROOT)


def test_every_page_with_code_is_read() -> None:
    with_code = {
        str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md") if blocks(str(page.relative_to(DOCS)))
    }
    assert with_code - {"design.md"} == {page for pages in READINGS for page in pages} | {
        OWN_CLUSTER,
        CASE_STUDY,
    }


def test_the_cluster_file_is_one(tmp_path: Path) -> None:
    follow(OWN_CLUSTER, tmp_path)
    assert load_cluster_file(tmp_path / "my-site.yaml").partition == "compute"


def test_the_study_in_the_design_is_a_study() -> None:
    ((language, text),) = blocks("design.md")
    assert language == "yaml"
    assert read_study(text).study == "tungsten-quick"


def test_the_site_builds_without_a_warning_and_knows_every_name(tmp_path: Path) -> None:
    run([sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", str(DOCS), str(tmp_path / "site")], ROOT)
    page = (tmp_path / "site" / "reference" / "store.html").read_text(encoding="utf-8")
    for variable in (*VARIABLES, *CYLINDER_VARIABLES):
        assert f">{variable.name}<" in page
    python = (tmp_path / "site" / "reference" / "python.html").read_text(encoding="utf-8")
    named = [f"sweep.{name}" for name in sweep.__all__] + [
        f"sweep.figures.{name}" for name in figures.__all__
    ]
    assert [name for name in named if f'id="{name}"' not in python] == []
