"""A report as its elements and words, and its errors."""

from html.parser import HTMLParser

from dmf_cli import report
from dmf_cli.cli.main import main

VOID = ("wbr", "meta", "link", "img", "input", "br", "line", "circle")


class Parsed(HTMLParser):
    """Elements with their attributes, and the text outside of scripts and styles."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.words, self.open = [], [], []
        self.feed(html)
        self.close()
        self.text = " ".join("".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.words += [] if tag == "wbr" else [" "]  # a place to break a word, not its end
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag
            self.words.append(" ")

    def handle_data(self, data):
        if not {"script", "style"} & set(self.open):
            self.words.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def written(*paths, output=None, **options):
    return Parsed(report.write(list(paths), output, **options).file.read_text())


def refused(capsys, *words):
    assert main(["report", *map(str, words)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said
