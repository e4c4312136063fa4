import pytest

from dmf_cli.cli import list as listing
from dmf_cli.cli.main import main
from dmf_cli.config import paths


@pytest.mark.parametrize("kind", listing.KINDS)
def test_every_entry_has_a_name_a_line_and_a_source(capsys, kind):
    assert main(["list", kind]) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = listing.rows(kind)
    assert len(lines) == len(rows) > 0
    for line, row in zip(lines, rows, strict=True):
        assert all(row)
        assert line.split()[0] == row[0]


def test_names_are_those_of_the_config(capsys):
    assert [row[0] for row in listing.rows("losses")] == paths.terms()
    assert [row[0] for row in listing.rows("weightings")] == paths.options("weighting")


def test_all_kinds_have_titles(capsys):
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line in listing.KINDS] == list(listing.KINDS)


def test_a_terminal_gets_a_table(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert main(["list", "losses"]) == 0
    out = capsys.readouterr().out
    assert "source" in out.splitlines()[1]
    assert "cbdice" in out


def test_a_registry_is_read_without_importing(tmp_path):
    imports = "from x._x import a as a\nfrom x._y import b\n"
    (tmp_path / "__init__.py").write_text(
        f'{imports}__registry__: tuple[str, ...] = ("b", "a")\nraise SystemExit\n'
    )
    (tmp_path / "_x.py").write_text(
        'def a():\n    """First\n    line.\n\n    Source: A book.\n    """\n\ndef b(): ...\n'
    )
    (tmp_path / "_y.py").write_text('class b:\n    """B."""\n')
    assert listing.registry_rows(tmp_path) == [("a", "First line", "A book"), ("b", "B", "")]
