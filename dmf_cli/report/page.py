"""The HTML file from its data: one template a page, with style, script and BokehJS inside."""

import importlib.resources
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dmf_cli
from dmf_cli.figures import bokeh_renderer, palette

if TYPE_CHECKING:
    from markupsafe import Markup

_TEMPLATES = "dmf_cli.report", "templates"
_COLOURS = f":root {{ --truth: {palette.TRUTH}; --prediction: {palette.PREDICTION} }}\n"
_JOINTS = re.compile(r"(?<=[=,_+/])(?=\w)|(?<=[a-z]\.)(?=[a-z])")


def render(template: str, context: Mapping[str, Any], charts: Sequence[bokeh_renderer.Chart]) -> str:
    """The page as text.

    Args:
        template: ``run.html`` or ``sweep.html``.
        context: what it needs; texts of any kind, they are escaped.
        charts: every chart of ``context``.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader(*_TEMPLATES), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.globals["colours"] = bokeh_renderer.colours
    environment.filters["breakable"] = _breakable
    drawing, places = bokeh_renderer.embed(charts)
    parts = {
        "style": Markup(_COLOURS + _text("style.css")),
        "behaviour": Markup(_text("page.js")),
        "library": Markup(bokeh_renderer.library()) if charts else "",
        "drawing": Markup(drawing),
        "places": {key: Markup(place) for key, place in places.items()},
        "version": dmf_cli.__version__,
    }
    return environment.get_template(template).render(**context, **parts)


def _breakable(text: str) -> "Markup":
    """``weighting=var`` may wrap behind its ``=``: such a name has no spaces, and columns are narrow."""
    from markupsafe import Markup

    return Markup("<wbr>").join(_JOINTS.split(text))


def _text(name: str) -> str:
    package, folder = _TEMPLATES
    return importlib.resources.files(package).joinpath(folder, name).read_text(encoding="utf-8")
