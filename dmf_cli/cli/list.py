"""``dmf list``: what there is to choose from, read from YAML headers and docstrings."""

import sys
from collections.abc import Sequence
from pathlib import Path

from dmf_cli import conf_files
from dmf_cli.cli._parser import Parser, add_config_dir, own_configs
from dmf_cli.config.headers import Header, read_header
from dmf_cli.errors import UnknownNameError
from dmf_cli.parts import plugins, registry
from dmf_cli.terminal.say import say

Row = tuple[str, str, str]
COLUMNS = ("name", "what", "source")
FOLDERS = {
    "losses": "loss/term",
    "weightings": "weighting",
    "models": "model",
    "datasets": "dataset",
    "recipes": "recipe",
    "experiments": "experiment",
}
KINDS = (*FOLDERS, "metrics")
PARTS = {
    "losses": "loss",
    "weightings": "strategy",
    "models": "model",
    "datasets": "dataset",
    "recipes": "",
    "experiments": "",
}

_ABOUT = """\
Name, one line and source of everything there is to choose from.

  losses      terms of a loss expression: dmf train loss=cbdice+bce; also auxiliary=TERM
  weightings  dmf train weighting=NAME
  models      dmf train model=NAME; asked for alone, with the number of weights and the time of a forward pass
  datasets    dmf train dataset=NAME
  recipes     dmf train recipe=NAME: network, augmentation, optimizer, length that go together
  experiments dmf train experiment=NAME; those called reproduce_... are sweeps: dmf train -m experiment=NAME
  metrics     what the tables of a run hold
"""


def run(arguments: Sequence[str]) -> int:
    """``dmf list [KIND]``."""
    parser = Parser(prog="dmf list", description=_ABOUT)
    parser.add_argument("kind", metavar="KIND", nargs="?", help=f"one of {', '.join(KINDS)}; default: all")
    add_config_dir(parser)
    options = parser.parse_args(list(arguments))
    own_configs(options.config_dir)  # a folder that is not there is an error here too
    kind = options.kind
    if kind is not None and kind not in KINDS:
        raise UnknownNameError("kind", kind, KINDS)
    if kind == "models":
        _show_models(options.config_dir)
        return 0
    for number, name in enumerate([kind] if kind else KINDS):
        if number:
            say("")
        _show(name, rows(name, options.config_dir), titled=kind is None)
    return 0


def _show_models(own: Path | None) -> None:
    """The models with what they cost; each line as soon as it is measured, a table on a terminal."""
    from dmf_cli.cli import _model_costs

    models, device = rows("models", own), _model_costs.start()
    if sys.stdout.isatty():
        from dmf_cli.terminal.console import SafeConsole

        with SafeConsole(stderr=True).status("measuring"):
            measured = [_model_costs.with_costs(row) for row in models]
        title = f"models: one 128x128 grey image on {device}, fastest of {_model_costs.TIMES}"
        _table(title, ("name", "weights", "forward", *COLUMNS[1:]), measured)
        return
    widths = [max(len(row[column]) for row in models) for column in (0, 1)]
    for row in models:
        name, weights, forward, what, source = _model_costs.with_costs(row)
        say(f"{name:<{widths[0]}}  {weights:>18}  {forward:>7}  {what:<{widths[1]}}  {source}")


def rows(kind: str, own: Path | None = None) -> list[Row]:
    """(name, one line, source) of each entry of ``kind``, with those in the folder ``own`` of the user's."""
    if kind == "metrics":
        found = sorted(registry.known("metric").items())
        return [(name, one.summary, one.source or f"in {one.place}") for name, one in found]
    added = [
        (one.name, one.summary, one.source or f"in {one.place}") for one in plugins.definitions(PARTS[kind])
    ]
    folders = [conf_files.conf_dir(), *([own.expanduser()] if own else [])]
    by_name = {file.stem: file for folder in folders for file in (folder / FOLDERS[kind]).glob("*.yaml")}
    files = [by_name[name] for name in sorted(by_name)]
    headers = [(file.stem, read_header(file)) for file in files]
    return sorted([*((name, _titled(header), header.source.rstrip(".")) for name, header in headers), *added])


def _titled(header: Header) -> str:
    """The title, with the time that it takes where the file says it."""
    return header.title.rstrip(".") + (f"; {header.time}" if header.time else "")


def _show(kind: str, shown: list[Row], *, titled: bool) -> None:
    """A table on a terminal, aligned text elsewhere (for grep and cut)."""
    if sys.stdout.isatty():
        _table(kind, COLUMNS, shown)
        return
    if titled:
        say(kind)
    widths = [max((len(row[column]) for row in shown), default=0) for column in (0, 1)]
    for name, what, source in shown:
        say(f"{name:<{widths[0]}}  {what:<{widths[1]}}  {source}".rstrip())


def _table(title: str, columns: Sequence[str], shown: Sequence[Sequence[str]]) -> None:
    from rich.table import Table

    from dmf_cli.terminal.console import SafeConsole

    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in columns:  # on a narrow terminal a long address is broken, and no name cut off
        table.add_column(column, overflow="fold", no_wrap=column == columns[0])
    for row in shown:
        table.add_row(*row)
    SafeConsole().print(table)
