"""Names that a browser, LaTeX, a spreadsheet, Markdown or a terminal acts on, and whether a text is inert."""

import csv
import io
import re

from dmf_cli.escapes import is_number

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "--><svg/onload=alert(1)>",
    "\\input{/etc/passwd}",
    "}\\write18{id}{",
    "$\\immediate$ % x & y # z ~ ^ _",
    "=cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|'x'!A0",
    "+1+1",
    "\t=1+1",
    "[a](javascript:alert(1))",
    "![a](http://example.org/x.png)",
    "`code` *bold* | a | b |",
    "\x1b[2J\x1b]0;title\x07",
    "\x9b31m\u202e\u2066",
    "a\nb\r\n# c\u2028d",
)
ESCAPED = {"textbackslash", "textasciitilde", "textasciicircum", "textless", "textgreater", "textbar"}


def check_terminal(text):
    assert text.replace("\n", "").isprintable()


def same_lines(text, plain):
    """No line more than with a harmless name, and nothing that a terminal acts on."""
    check_terminal(text)
    assert len(text.splitlines()) == len(plain.splitlines())


def check_csv(text, plain):
    same_lines(text, plain)
    for row in csv.reader(io.StringIO(text)):
        assert [one for one in row if re.match(r"\s*[=+@-]", one) and not is_number(one)] == []


def check_markdown(text, plain):
    same_lines(text, plain)
    bare, plain = (re.sub(r"\\.", "", one) for one in (text, plain))
    for sign in "<>[]|`*":
        assert bare.count(sign) == plain.count(sign), sign


def check_latex(text, plain):
    same_lines(text, plain)
    text, plain = (re.sub(r"(?m)^\s*%.*$", "", one) for one in (text, plain))  # what it does not read
    commands, known = (set(re.findall(r"\\([A-Za-z]+)", one)) for one in (text, plain))
    assert commands <= known | ESCAPED | {"allowbreak", "raggedright"}
    bare = re.sub(r"\\[^A-Za-z]", "", text)
    assert bare.count("%") == re.sub(r"\\[^A-Za-z]", "", plain).count("%")
    assert bare.count("{") == bare.count("}")
