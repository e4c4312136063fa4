"""The script that counts tables of the results page over images."""

import sys
from pathlib import Path

import pytest

from tests.docs.scripts import load


def scored(folder: Path, values: dict[str, str], split: str = "test") -> None:
    (folder / "metrics").mkdir(parents=True)
    rows = "".join(f"{name},{value}\n" for name, value in values.items())
    (folder / "metrics" / f"{split}_per_image.csv").write_text(f"id,foreground.dice\n{rows}")


def printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str
) -> list[list[str]]:
    monkeypatch.setattr(sys, "argv", ["per_image.py", *map(str, words)])
    load("per_image").main()
    lines = capsys.readouterr().out.splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_images_of_all_folds_count_once_and_differences_are_paired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scored(tmp_path / "a_f0", {"x": "0.05", "y": "0.55"})
    scored(tmp_path / "a_f1", {"x": "0.9", "z": "nan"})
    scored(tmp_path / "b_f0", {"x": "0.25", "y": "0.65"})
    scored(tmp_path / "b_f1", {"x": "0.9", "z": "0.5"})
    words = [
        "-s",
        "one",
        tmp_path / "a_f0",
        tmp_path / "a_f1",
        "-s",
        "two",
        tmp_path / "b_f0",
        tmp_path / "b_f1",
    ]
    first, second = printed(monkeypatch, capsys, *words)
    assert [*first[:2], *first[3:]] == ["one", "3", "0.550", "1", "0.725", "0.300 0.900", ""]
    assert first[2].startswith("0.500 [0.")
    assert second[:2] + second[4:] == ["two", "4", "0", "0.575", "0.450 0.700", "+0.100 (0.058), 3 images"]


def test_seeds_of_a_setting_are_averaged_for_each_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scored(a := tmp_path / "a", {"x": "0.2", "y": "0.4", "z": "0.6"})
    scored(b := tmp_path / "b", {"x": "0.4", "y": "0.4", "z": "nan"})
    words = ["-s", "both", a, "-s", "both", b, "-s", "one", a]
    both, one = printed(monkeypatch, capsys, *words)
    assert (both[1], both[3], one[1]) == ("2", "0.350", "3")
    assert one[7] == "-0.050 (0.050), 2 images"


def test_what_is_missing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scored(tmp_path / "a", {"x": "1"})
    for words, says in (
        (["-s", "one"], "one has no images"),
        (["-s", "one", tmp_path / "a", "--split", "val"], "dmf eval RUN split=val"),
    ):
        with pytest.raises(SystemExit):
            printed(monkeypatch, capsys, *words)
        assert says in capsys.readouterr().err
