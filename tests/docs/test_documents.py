"""What stands at the top of the repository: README, Makefile, citation, and what must be in no file."""

import re
import shlex
import subprocess
import sysconfig
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

import dmf_cli
from dmf_cli import config as configs
from dmf_cli import losses, weighting
from dmf_cli.cli import new

ROOT = Path(__file__).parents[2]
DMF = Path(sysconfig.get_path("scripts")) / "dmf"
MAKEFILE = (ROOT / "Makefile").read_text().replace("\\\n", " ")
README = (ROOT / "README.md").read_text()
TARGETS = re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE)
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
TOUR = BLOCKS + [
    block
    for page in ("tutorials", "howto")
    for file in (ROOT / "docs" / page).glob("*.md")
    for block in re.findall(r"^```(\w+)\n(.*?)^```", file.read_text(), re.MULTILINE | re.DOTALL)
]


def shell(blocks: list[tuple[str, str]]) -> list[str]:
    """The commands of the blocks, each on one line."""
    texts = [text.replace("\\\n", " ") for language, text in blocks if language == "sh"]
    return [line for text in texts for line in text.splitlines()]


def run(*command: str | Path) -> str:
    return subprocess.run(
        list(map(str, command)), cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout


def test_every_make_target_says_what_it_is() -> None:
    shown = run("make", "-s")
    for target in TARGETS:
        assert re.search(rf"^  make {target} +\S", shown, re.MULTILINE), f"{target} has no ## description"
    declared = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert declared
    assert sorted(declared[1].split()) == sorted(TARGETS)


def test_the_readme_opens_with_the_two_commands() -> None:
    assert [shlex.split(line, comments=True) for line in shell(BLOCKS) if line][:2] == [
        ["make", "demo"],
        ["make", "test"],
    ]


def test_every_command_of_the_documents_exists() -> None:
    texts = [README, (ROOT / "CONTRIBUTING.md").read_text()]
    made = re.findall(r"(?:^|^ {4}|`)make ([a-z-]+)", "\n".join(texts), re.MULTILINE)
    assert {"demo", "test", "format"} <= set(made) <= set(TARGETS)
    used = re.findall(r"(?:^|^ {4}|`)dmf ([a-z]+)\b", "\n".join(texts), re.MULTILINE)
    assert (
        {"train", "eval"} <= set(used) <= set(re.findall(r"^  ([a-z]+) ", run(DMF, "--help"), re.MULTILINE))
    )


@pytest.mark.parametrize("line", sorted({line for line in shell(TOUR) if line.startswith("dmf train")}))
def test_every_override_of_the_documents_composes(line: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)  # where the files of the reader are
    for name in re.findall(r"plugins=(\w+\.py)", line):
        (tmp_path / name).write_text(new.text("loss", "mine"))
    words = shlex.split(line, comments=True)[2:]
    overrides = [word for word in words if re.match(r"(?!hydra)[^=]+=(?!range)", word)]
    # Of a sweep the first job: its commas are those outside of brackets.
    first = [re.match(r"(?:\[[^]]*\]|[^,])*", word)[0] for word in overrides]  # type: ignore[index]
    configs.compose(first if "-m" in words else overrides)


@pytest.mark.parametrize(
    ("command", "extra"), [(r"dmf tune", "tune"), (r"--format onnx", "export"), (r"tracker=mlflow", "mlflow")]
)
def test_the_tour_installs_what_it_needs_beyond_make_demo(command: str, extra: str) -> None:
    blocks = [text for language, text in TOUR if language == "sh" and re.search(command, text)]
    missing = [b for b in blocks if f"pip install '.[{extra}]'" not in re.split(command, b)[0]]
    assert missing == []


@pytest.mark.parametrize(
    "code", [text for language, text in TOUR if "history" in text and language == "python"]
)
def test_the_python_of_the_documents_runs(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(code, "README.md", "exec"), names)
    weights = names["history"].history["weight.cbdice"]
    assert str(weights) in capsys.readouterr().out
    assert weights[0] == 0.5  # the warm-up
    assert len(set(weights)) > 2


@pytest.mark.parametrize(("module", "page"), [(losses, "losses"), (weighting, "strategies")])
def test_the_documents_list_every_name(module: ModuleType, page: str) -> None:
    text = (ROOT / f"docs/reference/{page}.md").read_text()
    assert [name for name in module.__registry__ if f"\n| `{name}` |" not in text] == []
    assert f"docs/reference/{page}.md" in README


def test_one_version_everywhere() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    latest = re.search(r"^## \[(\d.*?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert latest
    assert citation["version"] == latest[1] == dmf_cli.__version__


def test_no_file_knows_a_registry_or_a_machine() -> None:
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0")
    texts = {name: (ROOT / name).read_bytes() for name in listed if name and (ROOT / name).is_file()}
    assert "pyproject.toml" in texts
    machine = rf"(?<![\w.~-])(?:{re.escape(str(ROOT))}|/work|/opt|/root|/home)/"
    registry = ["-index-" + "url", "--find-" + "links", "/sim" + "ple/", r"pypi\.", r"pythonhosted\."]
    pattern = re.compile("|".join([machine, *registry]).encode())
    assert {name: found[0] for name, text in texts.items() if (found := pattern.search(text))} == {}
