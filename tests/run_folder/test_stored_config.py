"""A config.yaml that was cut off is YAML all the same, and no run."""

import pytest

from dmf_cli import config
from dmf_cli.cli.main import main
from dmf_cli.errors import RunFolderError
from dmf_cli.run_folder import stored_config
from tests.raised import raises

TEXT = config.to_yaml(config.compose(["loss=dice"]))
LINES = TEXT.splitlines(keepends=True)


@pytest.mark.parametrize("kept", range(1, len(LINES)))
def test_a_config_that_lacks_lines_is_told_in_one_line(tmp_path, kept):
    (tmp_path / "config.yaml").write_text("".join(LINES[:kept]))
    with pytest.raises(RunFolderError, match=r"config\.yaml (is not whole \(.* is missing\)|cannot be read)"):
        stored_config.load_run(tmp_path)


def test_a_config_that_lacks_a_part_of_its_last_line(tmp_path):
    (tmp_path / "config.yaml").write_text(TEXT[:-3])
    with raises(RunFolderError, reason="the end of its last line is missing"):
        stored_config.load_run(tmp_path)
    (tmp_path / "config.yaml").write_text(TEXT)
    assert stored_config.load_run(tmp_path).plain["eval"]["resolution"] == "original"


@pytest.mark.parametrize(
    "words",
    [
        ["predict", "RUN", "RUN"],
        ["replay", "RUN", "weighting=var"],
        ["eval", "RUN"],
        ["export", "RUN"],
        ["resume", "RUN"],
        ["compare", "RUN"],
        ["report", "RUN"],
    ],
)
def test_every_command_that_reads_a_run_says_so(tmp_path, capsys, words):
    (tmp_path / "config.yaml").write_text("".join(LINES[: len(LINES) // 2]))
    (tmp_path / "status.json").write_text('{"state": "completed"}')
    rows = "".join(f"{step},1,0.5,0,0,0.5,1\n" for step in range(1, 200))
    (tmp_path / "steps.csv").write_text(f"step,epoch,loss,gamma,aux,loss.dice,weight.dice\n{rows}")
    code = main([str(tmp_path) if word == "RUN" else word for word in words])
    out, err = capsys.readouterr()
    said = [line for line in err.splitlines() if "config.yaml is not whole" in line]
    assert len(said) == 1
    assert "unexpected" not in err + out
    # A report shows what is there, and says what is not; a comparison has nothing left to compare.
    assert (code, words[0]) in [(0, "report"), (2, words[0])]
