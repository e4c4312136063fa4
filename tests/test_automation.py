"""The hooks of pre-commit and the GitHub workflow run the commands that `make` and `.ci/run` run."""

import os
import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]


def read(name: str) -> dict[Any, Any]:
    loaded = yaml.safe_load((ROOT / name).read_text())
    assert isinstance(loaded, dict)
    return loaded


def lint() -> list[str]:
    """The commands of `make lint`, with its variables filled in."""
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert recipe
    return [line.strip().replace("$(IN)", ".venv/bin") for line in recipe[1].splitlines()]


def test_the_hooks_are_the_commands_of_make_lint_and_come_from_nowhere_else() -> None:
    (repository,) = read(".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"
    assert [hook["entry"] for hook in repository["hooks"]] == lint()
    assert {(hook["language"], hook["pass_filenames"]) for hook in repository["hooks"]} == {("system", False)}


def test_the_workflow_runs_what_the_checks_run_and_needs_no_secret() -> None:
    workflow = read(".github/workflows/ci.yml")
    (job,) = workflow["jobs"].values()
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]
    assert os.access(ROOT / ".ci/run", os.X_OK)
    (python,) = (step["with"]["python-version"] for step in job["steps"] if "with" in step)
    assert f"python{python}" in (ROOT / "Makefile").read_text()
    assert workflow["permissions"] == {"contents": "read"}
    assert "secrets" not in (ROOT / ".github/workflows/ci.yml").read_text()


def test_the_checks_begin_with_make_test_and_make_test_with_make_lint() -> None:
    assert re.search(r"^make test$", (ROOT / ".ci/run").read_text(), re.MULTILINE)
    assert re.search(r"^test: lint\b", (ROOT / "Makefile").read_text(), re.MULTILINE)
