"""The recipes of the containers: linted, the same step by step, and what they run run here."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONTAINER = ROOT / "deployments" / "container"
SCRIPTS = sorted([*ROOT.glob("deployments/*/*.sh"), *ROOT.glob("deployments/*/*.sbatch")])
# The linter takes what a trap assigns for unassigned.
IN_TRAPS = "SC2154"


def run(*words: object, **others: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, check=False, **others
    )


def tool(name: str) -> Path:
    """Find a linter that came with the tests' requirements."""
    return Path(sys.executable).with_name(name)


def docker_steps() -> dict[str, object]:
    """What the Dockerfile does, in the order in which it does it."""
    text = (CONTAINER / "Dockerfile").read_text()
    lines = re.sub(r"\\\n\s*", "", re.sub(r"(?m)^#.*\n", "", text)).splitlines()
    instructions = [tuple(line.split(maxsplit=1)) for line in lines if line]
    copies = {}
    for word, rest in instructions:
        if word == "COPY":
            *sources, target = rest.split()
            copies |= dict.fromkeys(sources, target)
    commands = [part.strip() for word, rest in instructions if word == "RUN" for part in rest.split("&&")]
    values = dict(instructions)
    return {
        "base": values["FROM"],
        "files": copies,
        "commands": [command for command in commands if not command.startswith("useradd")],
        "path": values["ENV"].removeprefix("PATH="),
        "entry": values["ENTRYPOINT"].strip('[]"'),
    }


def apptainer_steps() -> dict[str, object]:
    """What the Apptainer definition does."""
    text = re.sub(r"(?m)^#.*\n", "", (CONTAINER / "farfield.def").read_text())
    header, *parts = re.split(r"(?m)^%(\w+)\n", text)
    sections = {
        name: [line.strip() for line in body.splitlines() if line.strip()]
        for name, body in zip(parts[::2], parts[1::2], strict=True)
    }
    assert set(sections) == {"files", "post", "environment", "runscript"}
    head = dict(line.split(": ") for line in header.split("\n") if line)
    assert head.pop("Bootstrap") == "docker"
    (path,), (entry,) = sections["environment"], sections["runscript"]
    return {
        "base": head.pop("From"),
        "files": dict(line.split() for line in sections["files"]),
        "commands": sections["post"],
        "path": path.removeprefix("export PATH="),
        "entry": entry.removeprefix("exec ").removesuffix(' "$@"'),
    }


def test_the_two_recipes_take_the_same_steps() -> None:
    assert docker_steps() == apptainer_steps()


def test_a_recipe_copies_what_the_package_is_built_from_and_runs_the_script() -> None:
    steps = docker_steps()
    assert all((ROOT / source).exists() for source in steps["files"])
    project = (ROOT / "pyproject.toml").read_text()
    for needed in ("README.md", *re.findall(r'license-files = \["(\w+)"\]', project)):
        assert needed in steps["files"]
    assert "/source/install.sh /opt/farfield /source" in steps["commands"]
    assert steps["path"].startswith("/opt/farfield/bin:")


def test_the_dockerfile_passes_the_linter() -> None:
    linted = run(tool("hadolint"), "--failure-threshold", "info", CONTAINER / "Dockerfile")
    assert linted.returncode == 0, linted.stdout + linted.stderr


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_script_passes_the_linter(script: Path) -> None:
    linted = run(tool("shellcheck"), "--severity", "info", "--exclude", IN_TRAPS, script)
    assert linted.returncode == 0, linted.stdout + linted.stderr


def test_the_commands_of_the_definition_pass_the_linter(tmp_path: Path) -> None:
    script = tmp_path / "post.sh"
    script.write_text("\n".join(["#!/bin/sh", "set -e", *apptainer_steps()["commands"], ""]))
    linted = run(tool("shellcheck"), script)
    assert linted.returncode == 0, linted.stdout + linted.stderr


def test_the_install_script_says_what_it_wants() -> None:
    ran = run("sh", CONTAINER / "install.sh")
    assert ran.returncode != 0
    assert "usage: install.sh PREFIX" in ran.stderr


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_install_script_makes_an_environment_that_plans_a_study(tmp_path: Path) -> None:
    installed = run("sh", CONTAINER / "install.sh", tmp_path / "env", ROOT)
    assert installed.returncode == 0, installed.stdout + installed.stderr
    sweep = tmp_path / "env" / "bin" / "sweep"
    planned = run(sweep, "plan", ROOT / "studies" / "quick.yaml", cwd=tmp_path, env={"PATH": "/usr/bin:/bin"})
    assert planned.returncode == 0, planned.stderr
    assert "72 points" in planned.stdout
