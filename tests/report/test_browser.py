"""The report in a real browser: what sorts, toggles, slides, hovers, fits and is silent."""

from pathlib import Path

import pytest

from dmf_cli import report
from tests.report.browser import open_page

pytestmark = pytest.mark.chromium

CHECKS = Path(__file__).with_name("checks.js").read_text()
BLUE, SKY, ORANGE = [0, 114, 178], [90, 180, 240], [213, 94, 0]  # cbdice, cbdice in the dark, bce
DICE = 6  # column of the table of images, from 1
OURS = ("setting log level", "Canvas2D")  # BokehJS says its log level; reading pixels is what these tests do


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """One browser for all; each test opens its page anew."""
    with open_page(tmp_path_factory.mktemp("browser")) as page:
        yield page


@pytest.fixture(scope="module")
def file(ready, tmp_path_factory):
    return report.write([ready], tmp_path_factory.mktemp("page") / "run.html").file


@pytest.fixture
def show(page):
    """``show(file, width=390)`` opens it; afterwards it has been silent, and nothing was wider than it."""

    def go(file, **how):
        page.go(file, **how)
        page.js(CHECKS)
        return page

    yield go
    assert [line for line in page.console if not any(word in line for word in OURS)] == []
    assert page.requests == []
    page.wait("document.documentElement.scrollWidth <= innerWidth")  # charts take a moment to fit a new width


def heads(page, number):
    return f"#table-images-test th:nth-child({number}) button", f"checks.column('images-test', {number - 1})"


def test_a_column_sorts_by_click_and_by_key_and_says_so(show, file):
    page = show(file)
    (button, column), (first, names) = heads(page, DICE), heads(page, 1)
    state = f"document.querySelector({button!r}).parentElement.ariaSort"
    dice, ids = page.js(column), page.js(names)
    assert (page.js(state), dice[-1]) == ("ascending", "-")
    assert dice[:-1] == sorted(dice[:-1])
    page.click(button)
    assert page.js(state) == "descending"
    assert page.js(column) == [*sorted(dice[:-1], reverse=True), "-"]  # unknown stays last
    page.press("Enter", first)
    assert page.js(names) == sorted(ids)
    assert page.js("document.querySelectorAll('#table-images-test [aria-sort]').length") == 1
    page.press(" ", first)
    assert page.js(names) == sorted(ids, reverse=True)


def test_a_term_that_is_toggled_is_gone_from_every_chart(show, file):
    page = show(file)
    blue, orange = (f"checks.pixels('weights', {colour})" for colour in (BLUE, ORANGE))
    page.wait(f"{blue} > 100")
    assert page.js("checks.shown('cbdice')") == [True] * 5  # weights, losses, shares; norms, pulls
    page.click("[data-toggle=cbdice]")
    assert page.js("checks.shown('cbdice')") == [False] * 5
    assert (
        page.js("[...document.querySelectorAll('[data-toggle=cbdice]')].map(b => b.ariaPressed)")
        == ["false"] * 2
    )
    page.wait(f"{blue} === 0")
    assert page.js(orange) > 100
    page.press(" ", "[data-toggle=cbdice]")
    page.wait(f"{blue} > 100")


def test_the_slider_moves_by_key_and_by_mouse(show, file):
    page = show(file)
    clip = "getComputedStyle(document.querySelector('.stage .prediction')).clipPath"
    assert page.js(clip) == "inset(0px 0px 0px 50%)"
    page.press("ArrowRight", ".stage input")
    assert page.js(clip) == "inset(0px 0px 0px 51%)"
    page.press("ArrowLeft")
    page.press("ArrowLeft")
    assert page.js(clip) == "inset(0px 0px 0px 49%)"
    assert page.js("document.querySelector('.stage input').ariaValueText") == "line at 49 percent"
    page.click(".stage input")
    assert 48 <= page.js("Number(document.querySelector('.stage input').value)") <= 52


def test_values_hover(show, file):
    page = show(file)
    x, y = page.middle("#chart-weights .plot")
    for step in range(200):
        page.move(x + step % 5, y)
        said = page.js("checks.hovered()")
        if "bce" in said:
            break
    assert [word for word in ("step", "cbdice", "bce", "0.") if word not in said] == []


def test_light_and_dark_follow_the_system_and_the_button(show, file):
    for dark, colour, other in ((False, BLUE, SKY), (True, SKY, BLUE)):
        page = show(file, dark=dark)
        page.wait(f"checks.pixels('weights', {colour}) > 100")
        assert page.js("document.documentElement.dataset.theme") == ("dark" if dark else "light")
        assert page.js("checks.faint()") == []
        page.click("#theme")
        page.wait(f"checks.pixels('weights', {other}) > 100")
        assert page.js(f"checks.pixels('weights', {colour})") == 0
        page.js("localStorage.clear()")


@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits_and_its_parts_have_names(show, file, width):
    page = show(file, width=width)
    assert page.js("checks.faults()") == []
    boxes = "[...document.querySelectorAll('.scroll')].filter(b => b.scrollWidth > b.clientWidth).length"
    assert page.js(boxes) >= (3 if width == 390 else 0)  # wide tables scroll in their own box


def test_every_control_is_reached_by_tab(show, file):
    page = show(file)
    seen = set()
    for _ in range(20):
        page.press("Tab")
        seen.add(page.js("document.activeElement.id || document.activeElement.className"))
    assert {"skip", "theme", "copy needs-script", "sort"} <= seen
    controls = "document.querySelectorAll('.stage input, [data-toggle], .sort, summary, .scroll')"
    assert page.js(f"[...{controls}].every(e => e.tabIndex === 0)")


def test_paper_has_light_colours_and_both_masks(show, file, tmp_path):
    page = show(file, dark=True)
    page.pdf(tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
    assert page.js("document.documentElement.dataset.theme") == "dark"  # as before
    page.call("Emulation.setEmulatedMedia", media="print")
    assert page.js("getComputedStyle(document.querySelector('.stage .truth')).clipPath") == "none"
    assert page.js("getComputedStyle(document.querySelector('.top')).display") == "none"
    page.call("Emulation.setEmulatedMedia", media="")


def test_paper_is_as_wide_as_what_is_printed(show, file, sweep):
    """Charts are redrawn for it and wide tables are divided, and afterwards all is as it was."""
    page, column = show(file, width=1280, dark=True), "#chart-metrics .plot"
    page.js("dispatchEvent(new Event('beforeprint'))")
    page.call("Emulation.setEmulatedMedia", media="print")
    page.call("Emulation.setDeviceMetricsOverride", width=690, height=900, deviceScaleFactor=1, mobile=False)
    shown = f"[...document.querySelectorAll('{column} > *')].filter(e => e.getClientRects().length)"
    assert page.js(f"{shown}.map(e => e.className)") == ["paper"]
    assert page.js(f"{shown}[0].querySelector('svg').getAttribute('viewBox')").startswith("0 0 690 ")
    for axis in ("epoch", "4", "0 to 1"):  # its last epoch is on it
        assert page.js(f"[...{shown}[0].querySelectorAll('text')].some(t => t.textContent === '{axis}')")
    drawn = page.js("document.querySelector('#chart-weights .paper').innerHTML").lower()
    assert ("#0072b2" in drawn, "#5ab4f0" in drawn) == (True, False)  # as on a light page
    every = "[...document.querySelectorAll('main *')].filter(e => !e.closest('defs'))"
    assert page.js(f"{every}.filter(e => e.getBoundingClientRect().right > 691).map(e => e.outerHTML)") == []
    page.call("Emulation.setEmulatedMedia", media="")
    page.js("dispatchEvent(new Event('afterprint'))")
    assert page.js("document.querySelectorAll('.paper, .copied').length") == 0
    written = report.write([sweep]).file
    page = show(written)
    heads = "[...document.querySelectorAll('#table-comparison th[scope=col]')].map(e => e.textContent)"
    every = page.js(heads)
    page.js("dispatchEvent(new Event('beforeprint'))")
    parts = "[...document.querySelectorAll('#comparison table.paper')]"
    found = page.js(f"{parts}.map(t => [...t.tHead.rows[0].cells].map(e => e.textContent))")
    # The second table is of the images without a lesion: false alarms have neither ranks nor wins.
    assert [len(one) for one in found] == [9, 5, 9, 3]
    assert [found[0][0], *(name for one in found[:2] for name in one[1:])] == every
    assert [found[2][0], *(name for one in found[2:] for name in one[1:])] == every[:-2]
    assert [one[0] for one in found] == ["setting"] * 4
    page.js("dispatchEvent(new Event('afterprint'))")


def test_without_javascript_the_numbers_are_there(page, file):
    page.go(file, script=False)
    page.call("Emulation.setScriptExecutionDisabled", value=False)
    assert "foreground Dice from 0.2 to 0.8" in page.js("document.body.innerText")
    assert page.js("getComputedStyle(document.querySelector('.stage .truth')).clipPath") == "none"
    assert page.js("getComputedStyle(document.querySelector('#theme')).display") == "none"


def test_a_desktop_shows_every_column_of_a_comparison(show, sweep):
    """Else ranks and wins are behind a scroll bar on every screen, as the page is never wider than this."""
    page = show(report.write([sweep]).file, width=1280)
    boxes = "[...document.querySelectorAll('#comparison .scroll')]"
    assert page.js(f"{boxes}.length") >= 2
    assert page.js(f"{boxes}.filter(b => b.scrollWidth > b.clientWidth).map(b => b.innerText)") == []


def test_the_page_of_a_sweep(show, sweep):
    written = report.write([sweep]).file
    for width, dark in ((390, True), (1280, False)):
        page = show(written, width=width, dark=dark)
        assert page.js("checks.faults()") == []
        assert page.js("checks.faint()") == []
        page.click("#table-comparison th:nth-child(3) button")
        means = page.js("checks.column('comparison', 2)")
        assert means == sorted(means)
        page.click("[data-toggle='weighting=var']")
        assert set(page.js("checks.shown('weighting=var')")) == {False}
