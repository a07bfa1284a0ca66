"""Draw PPlug next to retrieval and per-user LoRA: docs/pictures/method-{light,dark}.svg.

    python docs/tools/draw_method.py

Text is at least 25 units high in a picture 780 wide: 11 pixels or more on a phone 360 pixels wide.
"""

from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import escape

PICTURES = Path(__file__).parents[1] / "pictures"
WIDTH, HEIGHT = 780, 968
COLUMN, GAP, MARGIN = 244, 14, 10
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"


@dataclass(frozen=True)
class Palette:
    """Colours of one scheme.

    Attributes:
        panel: background of a column.
        frozen, trained, plain: (fill, line) of a box: a frozen model, something that is trained,
            and data.
    """

    text: str
    muted: str
    panel: str
    frozen: tuple[str, str]
    trained: tuple[str, str]
    plain: tuple[str, str]


PALETTES = {
    "light": Palette(
        text="#1b2733", muted="#51606e", panel="#f3f5f7",
        frozen=("#dbeafe", "#2f6fbd"), trained=("#ffe3c7", "#c25e00"), plain=("#ffffff", "#8a97a3"),
    ),
    "dark": Palette(
        text="#eef2f6", muted="#aab6c2", panel="#1d242c",
        frozen=("#17365c", "#7db4f5"), trained=("#553008", "#ffb066"), plain=("#2b343e", "#7b8894"),
    ),
}  # fmt: skip


@dataclass
class Drawing:
    """SVG elements in one palette; every text is centred on its x."""

    palette: Palette
    parts: list[str] = field(default_factory=list)

    def text(self, x: float, y: float, words: str, *, size: int = 25, bold: bool = False,
             muted: bool = False) -> None:  # fmt: skip
        colour = self.palette.muted if muted else self.palette.text
        weight = ' font-weight="700"' if bold else ""
        self.parts.append(
            f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="{colour}"{weight} '
            f'text-anchor="middle">{escape(words)}</text>'
        )

    def box(self, x: float, y: float, width: float, height: float, kind: str,
            lines: tuple[str, ...] = ()) -> None:  # fmt: skip
        """A rounded box centred on x, its top at y."""
        fill, line = getattr(self.palette, kind)
        self.parts.append(
            f'<rect x="{x - width / 2:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="10" '
            f'fill="{fill}" stroke="{line}" stroke-width="2.5"/>'
        )
        first = y + height / 2 + 9 - 15 * (len(lines) - 1)
        for number, words in enumerate(lines):
            self.text(x, first + 30 * number, words)

    def arrow(self, x: float, y: float, end: float) -> None:
        """Straight down from y to end."""
        colour = self.palette.muted
        self.parts.append(
            f'<path d="M{x:g} {y:g}V{end - 9:g}" stroke="{colour}" stroke-width="3"/>'
            f'<path d="M{x - 8:g} {end - 11:g}h16l-8 11z" fill="{colour}"/>'
        )

    def dashed_arrow(self, path: str, x: float, y: float) -> None:
        """Along an SVG path that ends below (x, y), with its head there, pointing up."""
        colour = self.palette.muted
        self.parts.append(
            f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="3" '
            'stroke-dasharray="7 6"/>'
            f'<path d="M{x - 8:g} {y + 11:g}h16l-8 -11z" fill="{colour}"/>'
        )

    def history(self, x: float, y: float) -> None:
        """The user's behaviours as a pile of sheets."""
        for shift in (12, 6, 0):
            self.box(x + shift - 6, y + 12 - shift, 204, 56, "plain")
        self.text(x - 6, y + 49, "history")

    def reading(self, x: float, y: float, cells: tuple[tuple[str, str, float], ...]) -> None:
        """What the LLM reads, left to right: (kind, words, width)."""
        left = x - sum(width for *_, width in cells) / 2
        for kind, words, width in cells:
            self.box(left + width / 2, y, width - 4, 54, kind, (words,))
            left += width


def draw(palette: Palette) -> str:
    """The whole picture as SVG."""
    drawing = Drawing(palette)
    centres = [MARGIN + COLUMN / 2 + number * (COLUMN + GAP) for number in range(3)]
    for x, title in zip(centres, ("Retrieval", "Per-user LoRA", "PPlug"), strict=True):
        drawing.parts.append(
            f'<rect x="{x - COLUMN / 2:g}" y="0" width="{COLUMN}" height="888" rx="16" '
            f'fill="{palette.panel}"/>'
        )
        drawing.text(x, 46, title, size=26, bold=True)
        drawing.history(x, 72)
    _retrieval(drawing, centres[0])
    _lora(drawing, centres[1])
    _pplug(drawing, centres[2])
    for x, words in zip(
        centres, (("long prompts", "some items only"), ("a training", "for every user"),
                  ("one training", "for all users")), strict=True,
    ):  # fmt: skip
        drawing.arrow(x, 724, 760)
        drawing.text(x, 792, "answer", bold=True)
        for number, line in enumerate(words):
            drawing.text(x, 834 + 32 * number, line, muted=True)
    _legend(drawing)
    body = "\n".join(drawing.parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'font-family="{FONT}">\n<title>PPlug turns a history into one soft token before a frozen '
        "LLM; retrieval writes items into the prompt; per-user LoRA trains an adapter for each "
        f"user</title>\n{body}\n</svg>\n"
    )


def _retrieval(drawing: Drawing, x: float) -> None:
    drawing.arrow(x, 142, 252)
    drawing.box(x, 252, 216, 84, "frozen", ("retriever:", "k nearest items"))
    drawing.arrow(x, 336, 540)
    cells = (("plain", "items …", 128.0), ("plain", "query", 92.0))
    drawing.reading(x, 540, cells)
    drawing.arrow(x, 594, 640)
    drawing.box(x, 640, 216, 84, "frozen", ("frozen LLM",))


def _lora(drawing: Drawing, x: float) -> None:
    drawing.arrow(x, 142, 252)
    drawing.box(x, 252, 216, 84, "trained", ("fine-tune", "for this user"))
    drawing.arrow(x - 60, 336, 640)
    drawing.reading(x + 50, 540, (("plain", "query", 100.0),))
    drawing.arrow(x + 50, 594, 640)
    drawing.box(x, 640, 216, 84, "frozen")
    drawing.box(x - 60, 648, 84, 68, "trained", ("LoRA",))
    drawing.text(x + 47, 674, "frozen")
    drawing.text(x + 47, 704, "LLM")


def _pplug(drawing: Drawing, x: float) -> None:
    drawing.arrow(x, 142, 172)
    drawing.box(x, 172, 216, 54, "frozen", ("frozen encoder",))
    drawing.arrow(x, 226, 256)
    drawing.box(x, 256, 216, 116, "trained", ("input-aware", "attention", "+ projector"))
    drawing.arrow(x, 372, 414)
    drawing.text(x, 440, "one soft token")
    drawing.text(x, 470, "for the user")
    drawing.arrow(x - 46, 486, 540)
    cells = (("trained", "P", 64.0), ("plain", "query", 100.0))
    drawing.reading(x, 540, cells)
    drawing.dashed_arrow(
        f"M{x + 80:g} 567H{x + 100:g}V383", x + 100, 372
    )  # the query weighs the items
    drawing.arrow(x, 594, 640)
    drawing.box(x, 640, 216, 84, "frozen", ("frozen LLM",))


def _legend(drawing: Drawing) -> None:
    entries = ((150, "frozen", "frozen"), (350, "trained", "trained"), (560, "plain", "text"))
    for x, kind, words in entries:
        drawing.box(x, 912, 44, 34, kind)
        drawing.text(x + 78, 938, words, muted=True)


def main() -> None:
    """Write both schemes."""
    for name, palette in PALETTES.items():
        (PICTURES / f"method-{name}.svg").write_text(draw(palette), encoding="utf-8")


if __name__ == "__main__":
    main()
