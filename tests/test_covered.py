"""What `make test` and `make coverage` say of the lines that ran."""

import json
import runpy
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "covered.py"
FOUND = {
    "summary": {"percent_covered": 91.6},
    "files": {
        "dmf_cli/b.py": {"missing_lines": [9, 3, 4, 5], "summary": {"percent_covered": 50.0}},
        "dmf_cli/a.py": {"missing_lines": [], "summary": {"percent_covered": 100.0}},
    },
}


def test_the_share_and_the_lines_that_did_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = runpy.run_path(str(SCRIPT))
    main, measured = script["main"], tmp_path / ".coverage.json"
    monkeypatch.setitem(main.__globals__, "MEASURED", measured)
    monkeypatch.setattr(sys, "argv", ["covered.py"])
    with pytest.raises(SystemExit, match="make test"):
        main()
    measured.write_text(json.dumps(FOUND))
    main()
    assert capsys.readouterr().out.startswith("92 % of the lines of dmf_cli ran")
    monkeypatch.setattr(sys, "argv", ["covered.py", "--missing"])
    main()
    assert capsys.readouterr().out == "  50 %  dmf_cli/b.py: 3-5, 9\n"
