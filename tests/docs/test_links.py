"""Links between documents lead somewhere: to a file, and to a heading of it, on GitHub and on the site."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXTS = {
    file.relative_to(ROOT).as_posix(): file.read_text()
    for file in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"))
}
FENCED = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^()\s]+)\)")
KINDS = ("tutorials", "howto", "reference", "background")


def slug(heading: str) -> str:
    """The anchor of a heading, where GitHub and MkDocs agree."""
    text = re.sub(r"\[(.*?)\]\(.*?\)", r"\1", heading).replace("`", "").lower()
    return re.sub(r"[^\w\- ]", "", text).strip().replace(" ", "-")


def anchors(text: str) -> set[str]:
    return {slug(found) for found in re.findall(r"^#+ (.*)$", FENCED.sub("", text), re.MULTILINE)}


def broken(name: str, target: str) -> bool:
    path, _, anchor = target.partition("#")
    file = (ROOT / name).parent.joinpath(path).resolve() if path else ROOT / name
    if not file.exists() or ROOT not in file.parents:
        return True
    return bool(anchor) and anchor not in anchors(file.read_text())


@pytest.mark.parametrize("name", TEXTS)
def test_every_link_leads_somewhere(name: str) -> None:
    links = [link for link in LINK.findall(FENCED.sub("", TEXTS[name])) if not re.match(r"\w+:", link)]
    assert [link for link in links if broken(name, link)] == []


def test_a_broken_link_is_seen() -> None:
    assert broken("docs/index.md", "nothing.md")
    assert broken("docs/index.md", "index.md#nothing")
    assert broken("docs/index.md", "../../outside.md")
    assert not broken("docs/index.md", "../README.md")
    assert not broken("docs/background/splits.md", "#how-a-split-is-made")


def test_every_page_is_of_one_kind_and_can_be_found() -> None:
    pages = {name for name in TEXTS if name.startswith("docs/")} - {"docs/index.md"}
    assert {name.split("/")[1] for name in pages} <= set(KINDS)
    linked = {(ROOT / "docs" / link).resolve() for link in LINK.findall(TEXTS["docs/index.md"])}
    assert {ROOT / name for name in pages} <= linked, "docs/index.md names every page"
