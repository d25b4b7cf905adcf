"""A plot of the results: how each value lies beside its target, on a logarithmic scale."""

import math
from html import escape

WIDTH, LABELS, HEIGHT, FIGURES = 460, 420, 18, 160
# Powers of two to the left and right of the target.
SPAN = 6


def svg(results):
    """The text of a picture: bars to the left of the middle line are better than their targets."""
    middle = LABELS + WIDTH / 2
    height = HEIGHT * (len(results) + 2)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LABELS + WIDTH + FIGURES}" height="{height}" font-family="sans-serif"'
        ' font-size="11">',
        f'<text x="{middle}" y="12" text-anchor="middle">target (left is better; one grid line is twice as much)</text>',
    ]
    for power in range(-SPAN, SPAN + 1):
        place = middle + power * WIDTH / 2 / SPAN
        lines.append(f'<line x1="{place:.1f}" y1="{HEIGHT}" x2="{place:.1f}" y2="{height - HEIGHT}" '
                     f'stroke="{"black" if power == 0 else "#ddd"}"/>')
    for number, row in enumerate(results):
        top = HEIGHT * (number + 1)
        share = max(-SPAN, min(SPAN, math.log2(max(row.value, 1e-9) / row.target))) * WIDTH / 2 / SPAN
        lines.append(f'<text x="{LABELS - 6}" y="{top + 13}" text-anchor="end">{escape(row.work)}'
                     f'{escape(" / " + row.peer) if row.peer else ""}</text>')
        lines.append(f'<rect x="{middle + min(share, 0):.1f}" y="{top + 3}" width="{abs(share):.1f}" height="{HEIGHT - 6}" '
                     f'fill="{"#4a8" if row.is_met else "#c64"}"/>')
        lines.append(f'<text x="{LABELS + WIDTH + 6}" y="{top + 13}">{row.value:.3g} of {row.target:g} {escape(row.unit)}</text>')
    return "\n".join([*lines, "</svg>"]) + "\n"
