"""Names that are used once, so that a traceback, a search or an import says which thing is meant."""

import ast
from collections import defaultdict
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "dmf_cli"
# The typed config calls its sections as the groups of conf/ are called.
SECTIONS = {PACKAGE / "config" / name for name in ("schema.py", "dataset_schema.py")}
API = PACKAGE / "api"  # what it gives is called as people call it, and wraps what is so called below it


def test_no_two_classes_have_one_name():
    places = defaultdict(list)
    for file in sorted(set(PACKAGE.rglob("*.py")) - {*SECTIONS, *API.iterdir()}):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(f"{file.relative_to(PACKAGE)}:{node.lineno}")
    assert places["SweepRunner"]
    assert {name: found for name, found in places.items() if len(found) > 1} == {}
