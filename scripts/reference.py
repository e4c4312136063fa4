"""Fill the generated parts of docs/ from what the program says of itself.

Run: python scripts/reference.py           (half a minute; `make docs` does it too)

A generated part stands between `<!-- generated: NAME -->` and `<!-- end -->`; the text around it stays.
The sources are the texts of `--help` and `dmf list`, the headers of the YAML files and the docstrings.
"""

import contextlib
import functools
import inspect
import io
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from dmf_cli import conf_files, errors
from dmf_cli.cli import list as listing
from dmf_cli.cli import main as dmf
from dmf_cli.config.headers import read_header
from dmf_cli.parts.definitions import of_package
from dmf_cli.parts.kinds import KINDS

ROOT = Path(__file__).resolve().parent.parent
CONF, DOCS, PACKAGE = ROOT / "conf", ROOT / "docs", ROOT / "dmf_cli"
PART = re.compile(r"(<!-- generated: (?P<name>.*?) -->\n).*?(<!-- end -->)", re.DOTALL)
PAGES = {
    "tutorials": "Tutorials: learn by doing",
    "howto": "How-to: reach a goal",
    "reference": "Reference: look it up",
    "background": "Background: understand why",
}
# Title -> module, and its public names; of a package its parts come on top.
API = {
    "Fused model": ("dmf_cli.fusion.model", ("fuse", "FusedModel")),
    "Auxiliary loss": ("dmf_cli.fusion.auxiliary", ("Auxiliary",)),
    "Losses": ("dmf_cli.losses", ("get", "check")),
    "Weighting": ("dmf_cli.weighting", ("get", "replay", "Strategy")),
    "Models": ("dmf_cli.models", ()),
    "Metrics": ("dmf_cli.metrics", ("Counts",)),
    "Augmentations": ("dmf_cli.augmentations", ()),
    "Cases": ("dmf_cli.datasets.case", ("Case",)),
}
# Names of dmf_cli that do what the commands do.
RUNS = ("train", "load", "plan", "sweep", "compare", "replay", "tune", "verify", "bundle")
RESULTS = ("Run", "Scores", "Runs", "Comparison", "Plot", "Study")
ACTIONS = {"data": ("prepare", "show", "check")}  # commands of a command
ROOT_KEYS = "run"  # where the keys stand that belong to no group
# Keys of a mapping: `--help` shows them without a type, and with a meaning that differs by dataset.
UNTYPED = {
    "dataset.columns.class": ("str or null", "stratum of the split; null: the folder of the image"),
    "dataset.columns.image": ("str", "path of the image"),
    "dataset.columns.mask": ("str", "path of its mask, or of several with ; between them"),
    "dataset.columns.patient": ("str or null", "who is on one side of every split; null: not read"),
    "dataset.columns.spacing": ("str or null", "millimetres per pixel, as 0.1 or 0.1x0.2; null: not read"),
    "dataset.columns.split": ("str or null", "train, val or test; null: `split` divides the images"),
    "dataset.download.homepage": ("str", "where the dataset is published"),
    "dataset.download.licence": ("str", "what its owners allow"),
    "dataset.download.sha256": ("list of str or null", "of each archive; null: printed and not checked"),
    "dataset.download.urls": ("list of str", "archives that `dmf data prepare` downloads; may be empty"),
}
FEW = 4  # different defaults of one key that a reader wants to see
_ENTRY = re.compile(r"^  (?P<key>[\w.]+) {2,}(?P<rest>\S.*)$")
_REST = re.compile(r"(?P<value>.*?)(?: {2,}(?P<type>\(.*?\))(?: (?P<meaning>.*))?)?")


class Key(NamedTuple):
    """One line of the config in `dmf train --help`."""

    key: str
    value: str
    type: str
    meaning: str


def filled(page: str) -> str:
    """``page`` with each generated part made anew."""
    return PART.sub(lambda found: f"{found[1]}\n{MAKERS[found['name']]()}\n\n{found[3]}", page)


def commands() -> str:
    """What each command prints with `--help`."""
    parts = [f"## dmf\n\n```text\n{_said('--help')}\n```"]
    for name in dmf.COMMANDS:
        for words in ([name], *([name, action] for action in ACTIONS.get(name, ()))):
            text = _said(*words, "--help")
            if name == "train":  # config.md has its keys, of every option and not of the default ones only
                text = re.sub(
                    r"(config of this command[^\n]*\n).*?\n\n", r"\1  see config.md\n\n", text, flags=re.S
                )
            parts.append(f"## dmf {' '.join(words)}\n\n```text\n{text}\n```")
    return "\n\n".join(parts)


def config() -> str:
    """A table of keys for each group of the config."""
    parts = []
    for group in sorted({group for group, _ in _keys()}):
        chosen = {name: keys for (of, name), keys in _keys().items() if of == group}
        rows = list(_key_rows(group, chosen))
        parts.append(f"## {group}\n\n{_table(('key', 'type and range', 'default', 'meaning'), rows)}")
    return "\n\n".join(parts)


def listed(kind: str, group: str = "") -> str:
    """A table of what `dmf list KIND` names; with the options of ``group`` that not all of them have."""
    rows = [(f"`{name}`", what, source) for name, what, source in listing.rows(kind)]
    if not group:
        return _table(("name", "what it is", "source"), rows)
    own = {name: _own_options(group, name.strip("`")) for name, *_ in rows}
    return _table(
        ("name", "what it is", "options", "source"),
        [(name, what, own[name], source) for name, what, source in rows],
    )


def datasets() -> str:
    """A table of what `dmf list datasets` names, with what else is known of them."""
    rows = []
    for name, what, source in listing.rows("datasets"):
        note = read_header(CONF / "dataset" / f"{name}.yaml").note
        rows.append((f"`{name}`", what, f"{source}. {note}".rstrip(". ") if note else source))
    return _table(("name", "what it is", "source"), rows)


def augmentations() -> str:
    """A table of the YAML files of `conf/augment`."""
    rows = []
    for file in sorted((CONF / "augment").glob("*.yaml")):
        header = read_header(file)
        rows.append((f"`{file.stem}`", header.title, _own_options("augment", file.stem), header.source))
    return _table(("name", "what it is", "options", "source"), rows)


def tree() -> str:
    """The tree of errors, and each class with its exit code."""
    drawn = inspect.cleandoc(errors.__doc__ or "").partition("\n\n")[2].rstrip()
    rows = [
        (f"`{name}`", str(one.exit_code), (inspect.getdoc(one) or "").partition("\n\n")[0])
        for name, one in vars(errors).items()
        if isinstance(one, type) and issubclass(one, errors.DmfError)
    ]
    return f"```text\n{drawn}\n```\n\n{_table(('class', 'exit code', 'meaning'), rows)}"


def api() -> str:
    """What mkdocstrings shows of each module; one directive a module, for GitHub shows it as text."""
    parts = []
    for title, (module, names) in API.items():
        found = [name for kind, one in KINDS.items() if one.module == module for name in of_package(kind)]
        parts.append(f"## {title}\n\n{_members(module, [*names, *found])}")
    return "\n\n".join(parts)


def _members(module: str, names: Sequence[str]) -> str:
    options = "show_root_heading: false\n      show_root_toc_entry: false"
    return f"::: {module}\n    options:\n      {options}\n      members: [{', '.join(names)}]"


def pages() -> str:
    """Every page of docs/ with the first sentence of its text."""
    parts = []
    for kind, title in PAGES.items():
        entries = "\n".join(_entry(file) for file in sorted((DOCS / kind).glob("*.md")))
        parts.append(f"## {title}\n\n{entries}")
    return "\n\n".join(parts)


def _entry(file: Path) -> str:
    """The title as a link, and the first sentence of the page if it begins with one."""
    title, *blocks = file.read_text(encoding="utf-8").split("\n\n")
    link = f"- [{title.removeprefix('# ')}]({file.relative_to(DOCS).as_posix()})"
    prose = [" ".join(block.split()) for block in blocks if re.match(r"\w|[\[*\"]|`(?!``)", block)]
    if not prose:
        return link
    return f"{link}: " + re.split(r"(?<=\.)\s", re.sub(r"\[(.*?)\]\(.*?\)", r"\1", prose[0]))[0].rstrip(".:")


MAKERS: Mapping[str, Callable[[], str]] = {
    "commands": commands,
    "config": config,
    "losses": lambda: listed("losses", "loss"),
    "strategies": lambda: listed("weightings", "weighting"),
    "models": lambda: listed("models", "model"),
    "datasets": datasets,
    "experiments": lambda: listed("experiments"),
    "recipes": lambda: listed("recipes"),
    "metrics": lambda: listed("metrics"),
    "augmentations": augmentations,
    "errors": tree,
    "api": api,
    "runs": lambda: _members("dmf_cli.api", [*RUNS, *RESULTS]),
    "pages": pages,
}


def _said(*words: str) -> str:
    """What ``dmf WORDS`` prints, 100 columns wide."""
    before, printed = os.environ.get("COLUMNS"), io.StringIO()
    os.environ["COLUMNS"] = "100"
    try:
        with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):  # argparse leaves so
            if dmf.main(words):
                raise RuntimeError(f"dmf {' '.join(words)} failed")
    finally:
        os.environ.pop("COLUMNS") if before is None else os.environ.update(COLUMNS=before)
    return "\n".join(line.rstrip() for line in printed.getvalue().strip().splitlines())


@functools.cache
def _keys() -> Mapping[tuple[str, str], Mapping[str, Key]]:
    """(group, option) -> its keys; options of several groups share a call, for each takes half a second."""
    groups = {folder.name: sorted(file.stem for file in folder.glob("*.yaml")) for folder in CONF.iterdir()}
    groups = {name: options for name, options in groups.items() if options and name not in conf_files.PRESETS}
    terms = [name for name, *_ in listing.rows("losses")]
    found: dict[tuple[str, str], dict[str, Key]] = {}
    for number in range(max(map(len, groups.values()))):
        chosen = {group: options[number] for group, options in groups.items() if number < len(options)}
        keys = _parsed(_said("train", *(f"{group}={option}" for group, option in chosen.items()), "--help"))
        found |= {one: {k: v for k, v in keys.items() if _group(k) == one[0]} for one in chosen.items()}
        if not number:
            found[ROOT_KEYS, ""] = {k: v for k, v in keys.items() if _group(k) == ROOT_KEYS}
            one = keys[next(key for key in keys if key.startswith("loss.coefficients."))]
            found["loss", ""] = {one.key: one._replace(key="loss.coefficients.TERM")}
    for key in _parsed(_said("train", f"loss={'+'.join(terms)}", "--help")).values():
        if key.key.startswith("loss.terms."):
            found.setdefault(("loss", key.key.split(".")[2]), {})[key.key] = key
    return found


def _parsed(text: str) -> dict[str, Key]:
    """The keys in what `dmf train ... --help` prints; a long line continues on the next, indented."""
    body = text.partition("config of this command (KEY=VALUE)\n")[2].partition("\n\n")[0]
    joined = re.sub(r"\n {6,}(?=\()", "  ", body)
    found = (_ENTRY.match(line) for line in re.sub(r"\n {6,}", " ", joined).split("\n"))
    parts = {line["key"]: _REST.fullmatch(line["rest"]) for line in found if line}
    return {
        key: Key(key, part["value"], part["type"] or "", part["meaning"] or "")
        for key, part in parts.items()
        if part
    }


def _group(key: str) -> str:
    head = key.partition(".")[0]
    return head if (CONF / head).is_dir() else ROOT_KEYS


def _key_rows(group: str, options: Mapping[str, Mapping[str, Key]]) -> Iterator[Sequence[str]]:
    """One row for each key and type."""
    rows: dict[tuple[str, str], dict[str, Key]] = {}
    for option, keys in options.items():
        for key in keys.values():
            kind = UNTYPED[key.key][0] if key.key in UNTYPED else key.type[1:-1]
            if _group(key.key) == group and kind:  # none: a name that the user gives, such as a class
                rows.setdefault((key.key, kind.replace("|", " or ")), {})[option] = key
    for (name, kind), found in sorted(rows.items()):
        everyone = list(found) if group == "loss" else list(options)
        default = _by_option({option: f"`{key.value}`" for option, key in found.items()}, everyone, FEW)
        meaning = _by_option({option: key.meaning for option, key in found.items()}, list(found), 2)
        own = name == f"{group}.name" or name in UNTYPED
        meaning = UNTYPED[name][1] if name in UNTYPED else meaning
        yield f"`{name}`", f"`{kind}`", "that of the option" if own else default, meaning


def _by_option(values: Mapping[str, str], everyone: Sequence[str], few: int) -> str:
    """The value; of several, with the options that have it; of more than ``few`` the most common one."""
    options: dict[str, list[str]] = {}
    for option, value in values.items():
        options.setdefault(value, []).append(option)
    if len(options) == 1 and len(values) == len(everyone):
        return next(iter(options))
    if len(options) <= few:
        return "; ".join(f"{value} ({_named(names, everyone)})" for value, names in options.items())
    value, names = max(options.items(), key=lambda item: len(item[1]))
    return f"{value} (most)" if len(names) > 1 else "differs by option"


def _named(names: Sequence[str], everyone: Sequence[str]) -> str:
    others = [name for name in everyone if name not in names]
    return ", ".join(names) if len(names) <= len(others) else f"all but {', '.join(others)}"


def _own_options(group: str, option: str) -> str:
    """``key=default`` of what is not the same in most options of ``group``."""
    options = {name: keys for (of, name), keys in _keys().items() if of == group and name}
    common = Counter((key.key, key.value) for keys in options.values() for key in keys.values())
    own = [
        key
        for key in options.get(option, {}).values()
        if common[key.key, key.value] <= len(options) * 2 / 3 and key.key != f"{group}.name"
    ]
    return " ".join(f"`{key.key.rpartition('.')[2]}={key.value}`" for key in own)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([_cell(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main() -> None:
    for file in sorted(DOCS.rglob("*.md")):
        page = file.read_text(encoding="utf-8")
        if (made := filled(page)) != page:
            file.write_text(made, encoding="utf-8")
            print(file.relative_to(ROOT))


if __name__ == "__main__":
    main()
