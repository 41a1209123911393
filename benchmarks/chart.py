"""Draws panels of horizontal bars as an SVG that reads well on a light and on a dark page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH = 820
_LABELS = 250
_VALUES = 80
_ROW = 30
_BAR = 18
_TITLE = 44
_GAP = 22
_MARGIN = 16
_BASELINE = 13.5
_STYLE = """
  text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; fill: #424a53; }
  .title { font-size: 15px; font-weight: 600; fill: #1f2328; }
  .ours { font-weight: 600; fill: #1f2328; }
  .value { font-variant-numeric: tabular-nums; }
  .track { fill: #818b98; fill-opacity: .13; }
  .bar { fill: #8c959f; }
  .mine { fill: #0b7285; }
  @media (prefers-color-scheme: dark) {
    text { fill: #b7bdc8; }
    .title, .ours { fill: #f0f6fc; }
    .bar { fill: #767f8a; }
    .mine { fill: #3bc9db; }
  }
"""


@dataclass(frozen=True, slots=True)
class Bar:
    """One contender; `is_ours` stands out."""

    label: str
    value: float
    is_ours: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """Bars on one scale, in the order given."""

    title: str
    bars: Sequence[Bar]

    @property
    def height(self) -> int:
        """In pixels, with the gap below."""
        return _TITLE + _ROW * len(self.bars) + _GAP


def draw(panels: Sequence[Panel]) -> str:
    """The chart, panels below each other."""
    height = 2 * _MARGIN + sum(panel.height for panel in panels) - (_GAP if panels else 0)
    described = "; ".join(_described(panel) for panel in panels)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'role="img" aria-labelledby="description">',
        f'<desc id="description">{escape(described)}</desc>',
        f"<style>{_STYLE}</style>",
    ]
    top = _MARGIN
    for panel in panels:
        lines += _panel(panel, top)
        top += panel.height
    return "\n".join([*lines, "</svg>"]) + "\n"


def _described(panel: Panel) -> str:
    return f"{panel.title}: " + ", ".join(f"{bar.label} {bar.value:,.0f}" for bar in panel.bars)


def _panel(panel: Panel, top: int) -> Iterator[str]:
    yield f'<text class="title" x="{_MARGIN}" y="{top + 18}">{escape(panel.title)}</text>'
    greatest = max((bar.value for bar in panel.bars), default=0.0) or 1.0
    room = WIDTH - 2 * _MARGIN - _LABELS - _VALUES
    for number, bar in enumerate(panel.bars):
        y = top + _TITLE + _ROW * number
        yield from _bar(bar, y, room, max(3.0, room * bar.value / greatest))


def _bar(bar: Bar, y: int, room: int, length: float) -> Iterator[str]:
    left, words = _MARGIN + _LABELS, "ours" if bar.is_ours else "theirs"
    shape = f'x="{left}" y="{y}" height="{_BAR}" rx="4"'
    yield (
        f'<text class="{words}" x="{left - 12}" y="{y + _BASELINE}" text-anchor="end">{escape(bar.label)}</text>'
        f'<rect class="track" {shape} width="{room}"/>'
        f'<rect class="{"bar mine" if bar.is_ours else "bar"}" {shape} width="{length:.1f}"/>'
        f'<text class="{words} value" x="{left + room + 12}" y="{y + _BASELINE}">{bar.value:,.0f}</text>'
    )
