import pytest
from PIL import Image

from dmf_cli.cli import data
from dmf_cli.cli.main import main

PHANTOM = ["dataset=phantom", "dataset.size=32", "dataset.count=9"]


def test_an_action_is_a_file_and_has_a_help(capsys):
    assert set(data.actions()) <= set(data.ACTIONS)
    for action in data.actions():
        with pytest.raises(SystemExit):
            main(["data", action, "--help"])
        assert capsys.readouterr().out.startswith(f"usage: dmf data {action}")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "required: ACTION; see dmf data --help"),
        (["shwo"], "unknown action 'shwo': did you mean 'show'?"),
        (["show", "dataset=busy"], "did you mean 'busi'?"),
        (["show", "dataset=phantom", "dataset.cout=3"], "did you mean 'count'?"),
        (["show", "count=0"], "count is '0': give a number of images from 1 to 400"),
        (["show", "dataset=folder"], "dataset.dir is missing"),
        (
            ["show", "dataset=phantom", "-o", "x.foo"],
            "-o is x.foo, and the picture is PNG: give a name",
        ),
    ],
)
def test_a_wrong_command_line_is_one_line_and_code_2(capsys, arguments, says):
    assert main(["data", *arguments]) == 2
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1


def test_show_draws_examples_and_counts(tmp_path, capsys):
    file = tmp_path / "new" / "grid.png"
    assert main(["data", "show", *PHANTOM, "count=5", "-o", str(file)]) == 0
    out = capsys.readouterr().out.split()
    assert out[out.index("all") + 1] == "9"
    with Image.open(file) as picture:
        assert min(picture.size) > 300
