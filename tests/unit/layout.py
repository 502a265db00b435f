"""What is wrong with the layout of a figure, by the boxes of what is written on it."""

from itertools import combinations

from matplotlib.text import Text

SLACK = 1.0  # pixels, of 100 an inch, that boxes may share: they have more room than ink


def faults(figure, points):
    """List texts that overlap, that are clipped, or too small, and titles that are too long."""
    figure.draw_without_rendering()
    hidden = undrawn(figure)
    boxes = {
        text: text.get_window_extent()
        for text in figure.findobj(Text)
        if text.get_visible() and text.get_text().strip() and text not in hidden
    }
    found = []
    for text, box in boxes.items():
        name = repr(text.get_text())
        if text.get_fontsize() < points:
            found.append(f"{name} is of {text.get_fontsize():g} points")
        page = figure.bbox
        if min(box.x0, box.y0) < -SLACK or box.x1 > page.x1 + SLACK or box.y1 > page.y1 + SLACK:
            found.append(f"{name} is clipped")
    for (one, a), (other, b) in combinations(boxes.items(), 2):
        width, height = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        if min(width, height) > SLACK:
            found.append(f"{one.get_text()!r} overlaps {other.get_text()!r}")
    for ax in figure.axes:
        if ax.get_title("left").count("\n") > 1:
            found.append(f"the title {ax.get_title('left')!r} has more than two lines")
    return found


def undrawn(figure):
    """The labels that are not drawn: of ticks beyond an axis' limits, and of axes that are off."""
    found = set()
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                if not ax.axison or not low <= tick.get_loc() <= high:
                    found |= {tick.label1, tick.label2}
            if not ax.axison:
                found.add(axis.label)
    return found
