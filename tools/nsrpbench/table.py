# SPDX-License-Identifier: Apache-2.0
"""Figures as text: spreads, ratios and aligned tables."""
import statistics


def figure(value):
    """Three significant digits at most: what lies below is noise on a shared machine."""
    return f"{value:.1f}" if abs(value) < 10 and value != int(value) else f"{value:.0f}"


def spread(values):
    """min/median/max; "-" when there is nothing."""
    values = list(values)
    if not values:
        return "-"
    return "/".join(figure(v) for v in (min(values), statistics.median(values), max(values)))


def ratio(values, reference):
    """How many times the reference's median this median is; "-" where that says nothing."""
    values, reference = list(values), list(reference)
    if not values or not reference or statistics.median(reference) <= 0:
        return "-"
    return f"x{statistics.median(values) / statistics.median(reference):.2g}"


def table(heading, rows):
    """Columns as wide as their widest word: the first to the left, the others to the right."""
    lines = [[str(cell) for cell in row] for row in [heading, *rows]]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heading))]

    def layout(line):
        return "  ".join([line[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(line[1:], widths[1:])]).rstrip()
    return "\n".join([layout(lines[0]), "  ".join("-" * w for w in widths), *map(layout, lines[1:])])
