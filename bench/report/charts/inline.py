"""Panels as SVG inside a page: colours that follow its theme, tags that its script can read."""

import io
import json
import re
from typing import Any
from xml.etree import ElementTree

from bench.report.charts.canvas import NAMES, STYLE, Canvas
from bench.report.model import Panel

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
COLOR = re.compile("|".join(NAMES))
FONT = re.compile(r"(font(?:-family)?: [^;]*?)'[^;]*")


def draw_inline(panel: Panel, name: str) -> str:
    """One `<svg>`; `name` is unique on the page, and is put before its ids."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(STYLE):
        figure = Figure(panel.size, layout="constrained")
        canvas = Canvas(figure.subplots())
        panel.draw(canvas)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    root = ElementTree.fromstring(text.getvalue())  # noqa: S314  written by matplotlib just above
    _clean(root, name)
    del root.attrib["width"], root.attrib["height"]
    root.set("role", "img")
    root.set("aria-label", f"{panel.title}; the table below has its values")
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK)
    drawn = ElementTree.tostring(root, encoding="unicode")
    drawn = COLOR.sub(lambda found: f"var(--{NAMES[found[0]]})", drawn)
    return FONT.sub(r"\1var(--font)", drawn)


def _clean(root: Any, name: str) -> None:
    """Ids that nothing refers to go, others become unique on the page; tags become attributes."""
    used = set(re.findall(r"(?:url\(#|href=\"#)([^\")]+)", ElementTree.tostring(root, "unicode")))
    for parent in list(root.iter()):
        for child in [c for c in parent if c.tag == f"{{{SVG}}}metadata"]:
            parent.remove(child)
    for element in root.iter():
        id = element.attrib.pop("id", "")
        if id in used:
            element.set("id", f"{name}-{id}")
        elif id.startswith("{"):
            _apply_tag(element, json.loads(id))
        for key, value in element.attrib.items():
            if key.endswith("href") and value.startswith("#"):
                element.set(key, f"#{name}-{value[1:]}")
            elif "url(#" in value:
                element.set(key, value.replace("url(#", f"url(#{name}-"))


def _apply_tag(element: Any, about: dict[str, str]) -> None:
    if about["series"]:
        element.set("data-series", about["series"])
    if about["tip"]:
        title = ElementTree.Element(f"{{{SVG}}}title")
        title.text = about["tip"]
        element.insert(0, title)
