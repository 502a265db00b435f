"""What is on a figure."""

from matplotlib.text import Text


def texts(figure):
    """Everything written on a figure, spaces made plain."""
    found = [text.get_text() for text in figure.findobj(Text)]
    return " | ".join(found).replace("\N{NO-BREAK SPACE}", " ").replace("\n", " ")


def points(figure, marker, *panels):
    """Count the markers of one kind on a figure or on some of its panels, legends aside."""
    axes = [figure.axes[panel] for panel in panels] if panels else figure.axes
    lines = [line for ax in axes for line in ax.get_lines() if line.get_marker() == marker]
    return sum(len(line.get_xdata()) for line in lines)
