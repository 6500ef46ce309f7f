"""Draws docs/pictures/tiers.svg, by `python -m docs.draw_tiers`; a test compares. Needs no library."""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

FILE = Path(__file__).resolve().parent / "pictures" / "tiers.svg"
_WIDTH, _HEIGHT = 860, 430
_INK, _FAINT = "#22303c", "#5b6b79"
_TIERS = (
    (
        "#fbe3d6",
        "#d9703a",
        "HOT: RAM",
        ("values compressed one by one,", "with a dictionary of their kind;", "some microseconds a read"),
    ),
    (
        "#fdf3cf",
        "#c9a227",
        "WARM: SSD",
        ("packs of small blocks", "that are compressed together;", "tens of microseconds a read"),
    ),
    (
        "#dbe9f6",
        "#3f7cb5",
        "COLD: S3 or a directory",
        ("packs of large blocks,", "the fewest bytes;", "one ranged request a read"),
    ),
)
_BOX_WIDTH, _BOX_HEIGHT, _BOX_Y, _GAP = 236, 120, 210, 52
_LEFT = (_WIDTH - 3 * _BOX_WIDTH - 2 * _GAP) / 2


def picture() -> str:
    """Return the picture as SVG."""
    middle = _WIDTH / 2
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" '
            f'height="{_HEIGHT}" font-family="DejaVu Sans, Verdana, Helvetica, sans-serif" role="img">'
        ),
        "<title>The way of a value through the three tiers</title>",
        (
            '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
            f'orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="{_FAINT}"/></marker></defs>'
        ),
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" rx="10" fill="#ffffff"/>',
        _box(_LEFT, 22, 230, 62, "#eef1f4", _FAINT),
        _text(_LEFT + 115, 48, "your program", bold=True),
        _text(_LEFT + 115, 68, 'memory["key"], store, retrieve', small=True),
        _box(middle - 115, 22, 340, 62, "#e6f2ea", "#3d8b5f"),
        _text(middle + 55, 48, "once a content, exactly", bold=True),
        _text(middle + 55, 68, "serialise, digest, known already?, compress", small=True),
        _arrow(_LEFT + 230, 53, middle - 117, 53),
        _box(_WIDTH - _LEFT - 130, 22, 130, 62, "#f4f4f4", _FAINT),
        _text(_WIDTH - _LEFT - 65, 48, "journal", bold=True),
        _text(_WIDTH - _LEFT - 65, 68, "survives a crash", small=True),
        _arrow(middle + 225, 53, _WIDTH - _LEFT - 132, 53),
        _arrow(middle - 80, 84, _LEFT + _BOX_WIDTH / 2 + 40, _BOX_Y - 3),
        _text(_LEFT + _BOX_WIDTH / 2 + 60, 145, "at once", small=True),
        _arrow(_WIDTH - _LEFT - 100, 84, middle + 60, _BOX_Y - 3),
        _text(_WIDTH - _LEFT - 105, 155, "within seconds, in packs", small=True),
    ]
    for number, (fill, edge, name, lines) in enumerate(_TIERS):
        x = _LEFT + number * (_BOX_WIDTH + _GAP)
        parts += [
            _box(x, _BOX_Y, _BOX_WIDTH, _BOX_HEIGHT, fill, edge),
            _text(x + _BOX_WIDTH / 2, _BOX_Y + 30, name, bold=True),
            *(_text(x + _BOX_WIDTH / 2, _BOX_Y + 56 + 19 * row, line, small=True) for row, line in enumerate(lines)),
        ]
    for number, (down, up) in enumerate((("idle for an hour", "read 5 times"), ("idle for a day", "read twice"))):
        x = _LEFT + _BOX_WIDTH + number * (_BOX_WIDTH + _GAP)
        parts += [
            _arrow(x + 2, _BOX_Y + 48, x + _GAP - 2, _BOX_Y + 48),
            _arrow(x + _GAP - 2, _BOX_Y + 80, x + 2, _BOX_Y + 80),
            _text(x + _GAP / 2, _BOX_Y + _BOX_HEIGHT + 24, f"→ {down}", small=True),
            _text(x + _GAP / 2, _BOX_Y + _BOX_HEIGHT + 44, f"← {up}", small=True),
        ]
    parts.append(
        _text(middle, _HEIGHT - 24, "where hour, day and counts begin: a tuner sets them by what waiting costs")
    )
    return "\n".join([*parts, "</svg>\n"])


def _box(x: float, y: float, width: float, height: float, fill: str, edge: str) -> str:
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="8" fill="{fill}" stroke="{edge}" '
        'stroke-width="1.5"/>'
    )


def _text(x: float, y: float, words: str, *, bold: bool = False, small: bool = False) -> str:
    size, weight, colour = (16, "bold", _INK) if bold else (13, "normal", _FAINT if small else _INK)
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" font-weight="{weight}" fill="{colour}" '
        f'text-anchor="middle">{escape(words)}</text>'
    )


def _arrow(x1: float, y1: float, x2: float, y2: float) -> str:
    return (
        f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" stroke="{_FAINT}" stroke-width="1.5" '
        'marker-end="url(#head)"/>'
    )


if __name__ == "__main__":
    FILE.write_text(picture(), encoding="utf-8")
