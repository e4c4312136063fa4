"""What MkDocs needs beyond mkdocs.yml: files outside of docs/, and the order of the four kinds of pages.

On GitHub a page may link to a file at the top of the repository; on the site that file is a page too.
"""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
OUTSIDE = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "CITATION.cff": "citation.cff",
    "SECURITY.md": "security.md",
}
KINDS = {"Tutorials": "Tutorials", "Howto": "How-to", "Reference": "Reference", "Background": "Background"}
_ROLE = re.compile(r":(?:attr|class|data|func|meth|mod):(?=<code>)")
_LINK = re.compile(rf"\]\((?:\.\./)+({'|'.join(map(re.escape, OUTSIDE))})")


def on_files(files: Files, config: Any) -> Files:
    """The files from outside of docs/ stand at the top of the site."""
    for source, page in OUTSIDE.items():
        text = (ROOT / source).read_text(encoding="utf-8").replace("](docs/", "](")
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Links to the files from outside lead to their places on the site."""
    up = "../" * page.file.src_uri.count("/")
    return _LINK.sub(lambda found: f"]({up}{OUTSIDE[found[1]]}", markdown)


def on_page_content(html: str, page: Any, config: Any, files: Files) -> str:
    """Roles of Sphinx in docstrings are for editors; here the name alone is shown."""
    return _ROLE.sub("", html)


def on_nav(nav: Any, config: Any, files: Files) -> Any:
    """Home first, then the four kinds of pages, then the rest."""
    kinds = {item.title: item for item in nav.items if item.is_section}
    for title, section in kinds.items():
        section.title = KINDS[title]
    home, *rest = (item for item in nav.items if not item.is_section)
    nav.items = [home, *(kinds[title] for title in KINDS if title in kinds), *rest]
    return nav
