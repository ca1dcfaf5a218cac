"""What all figures share: size, colours, quiet axes, and PNG bytes.

No global state, no window, no file. Colours are those of Okabe & Ito (2008), told
apart by all common kinds of colour vision; lines differ in style and points in shape,
too, so that no figure needs its colours to be read.
"""

from functools import cache
from io import BytesIO
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font

from capnet.prediction import DISCLAIMER

__all__ = [
    "BLUE",
    "CYCLE",
    "GREEN",
    "GREY",
    "INK",
    "MARKERS",
    "ORANGE",
    "PINK",
    "RED",
    "ROLES",
    "SKY",
    "STYLES",
    "new_figure",
    "png_of",
    "tidy",
    "written",
]

BLUE: Final = "#0072B2"
RED: Final = "#D55E00"
GREEN: Final = "#009E73"
PINK: Final = "#CC79A7"
ORANGE: Final = "#E69F00"
SKY: Final = "#56B4E9"
GREY: Final = "#57606a"
INK: Final = "#1b1f24"
CYCLE: Final = (BLUE, RED, GREEN, PINK, ORANGE, SKY, INK)
"""Colours of curves, in the order to take them."""

STYLES: Final = ("-", "--", "-.", ":")
"""Styles of lines, in the order to take them."""

ROLES: Final = {"deep": BLUE, "floor": RED, "control": GREY}
"""Colour of each role of a method."""

MARKERS: Final = {"deep": "o", "floor": "s", "control": "^"}
"""Shape of the point of each role."""

_DPI: Final = 110


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure that no window and no global state knows of.

    Args:
        width: Inches; 110 pixels each.
        height: Inches.
    """
    return Figure(figsize=(width, height), dpi=_DPI, layout="constrained")


@cache
def _drawable() -> frozenset[int]:
    """Characters that the font of all figures has."""
    return frozenset(get_font(findfont(FontProperties())).get_charmap())


def written(name: str, most: int = 44) -> str:
    """Return a name as figures can draw it; tables beside them have it whole.

    Long ones lose their middle, characters that the font lacks become a box, and a
    dollar is a dollar, not the beginning of a formula.

    Args:
        name: Of a method, a reason ...
        most: Characters.

    Example:
        >>> written("a very long name of a method", most=11)
        'a ver…ethod'
    """
    text = "".join(
        c if c.isprintable() and ord(c) in _drawable() else "□"
        for c in " ".join(name.split())
    )
    if len(text) > most:
        half = (most - 1) // 2
        text = f"{text[: most - 1 - half]}…{text[-half:]}"
    return text.replace("$", r"\$")


def tidy(ax: Axes) -> None:
    """Take away the frame, draw a faint grid behind the data, keep the ticks small."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(visible=True, color="#e6e9ec", linewidth=0.7)
    ax.set_axisbelow(True)
    ax.tick_params(labelsize=9)


def png_of(figure: Figure) -> bytes:
    """Return the figure as a PNG file, with the disclaimer under it.

    The same numbers give the same bytes: neither a date nor a version is written.
    """
    figure.supxlabel(DISCLAIMER, fontsize=8, color=GREY, x=0.01, ha="left")
    with BytesIO() as buffer:
        figure.savefig(buffer, format="png", metadata={"Software": None})
        return buffer.getvalue()
