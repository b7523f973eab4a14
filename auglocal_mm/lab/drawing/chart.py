"""Charts: one style, one colour per rule, written as PNG, as SVG or into a page.

The colours are Okabe and Ito's, which colour-blind readers can tell apart. In an SVG
for a page, inks become CSS variables, so the chart follows the page from light to dark.
"""
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import matplotlib
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from auglocal_mm.files import write_whole

#: Inks that charts are drawn with; CSS_VARIABLES lists the variables they become.
INK, MUTED, GRID = '#1b1f24', '#5b6570', '#d5dae0'
#: A rule's colour and name, the same in every picture.
COLORS = {
    'bp': '#0072b2', 'auglocal': '#d55e00', 'infopro': '#009e73', 'dgl': '#e69f00',
    'predsim': '#cc79a7', 'checkpoint': '#56b4e9',
    'bp-selective': '#3d97d8', 'bp-accumulate': '#17406d', 'bp-step': '#6d7fc4',
}
#: A detector that is trained locally, beside one that only has such a backbone.
LOCAL_DETECTOR = '#a2457c'
NAMES = {
    'bp': 'BP', 'auglocal': 'AugLocal', 'infopro': 'InfoPro', 'dgl': 'DGL',
    'predsim': 'PredSim', 'checkpoint': 'BP with gradient checkpointing',
    'bp-selective': 'BP with selective checkpointing', 'bp-accumulate': 'BP in 4 micro-batches',
    'bp-step': 'BP with the step in backward',
}
#: What bytes are held for -> colour.
PART_COLORS = {
    'parameters': '#5b6570', 'buffers': '#1b1f24', 'optimizer state': '#a9b3bd',
    'gradients': '#e69f00', 'activations': '#0072b2', 'rest': '#cc79a7',
}
CSS_VARIABLES = {
    INK: '--ink', MUTED: '--muted', GRID: '--grid',
    COLORS['bp']: '--bp', COLORS['auglocal']: '--auglocal',
    LOCAL_DETECTOR: '--local',
}
STYLE = {
    'font.family': 'sans-serif',
    'font.size': 11,
    # Text stays text, which takes the page's font.
    'svg.fonttype': 'none',
    'text.color': INK,
    'axes.edgecolor': GRID,
    'axes.labelcolor': MUTED,
    'axes.titlesize': 12,
    'axes.titleweight': 'bold',
    'axes.titlelocation': 'left',
    'axes.titlepad': 12,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'axes.grid': True,
    'axes.grid.axis': 'y',
    'axes.axisbelow': True,
    'grid.color': GRID,
    'grid.linewidth': 0.8,
    'xtick.color': GRID,
    'ytick.color': GRID,
    'xtick.labelcolor': MUTED,
    'ytick.labelcolor': MUTED,
    'ytick.major.size': 0,
    'lines.linewidth': 2.2,
    'lines.solid_capstyle': 'round',
}


@dataclass(frozen=True)
class Chart:
    """A drawn chart.

    Attributes:
        name: Short name, unique in a report.
        alt: What it shows, in words, for readers who cannot see it.
        figure: The drawing.
    """

    name: str
    alt: str
    figure: Figure

    def svg(self) -> Markup:
        """Return an ``<svg>`` element for a page: text stays text, inks are variables."""
        with matplotlib.rc_context({**STYLE, 'svg.hashsalt': self.name}):
            # A fixed salt and no date, so that the same chart is the same text.
            buffer = io.StringIO()
            self.figure.savefig(buffer, format='svg', transparent=True, metadata={'Date': None})
        return _inline(buffer.getvalue(), name=self.name, alt=self.alt)

    def save_svg(self, path: Path) -> None:
        """Write a separate SVG file on white, with text as text, whole or not at all."""
        def draw(file: BinaryIO) -> None:
            self.figure.savefig(file, format='svg', facecolor='white',
                                metadata={'Date': None, 'Title': self.alt})
        with matplotlib.rc_context({**STYLE, 'svg.hashsalt': self.name}):
            write_whole(path, draw)

    def save_png(self, path: Path, *, dpi: int = 160) -> None:
        """Write a PNG on white, whole or not at all."""
        def draw(file: BinaryIO) -> None:
            self.figure.savefig(file, format='png', dpi=dpi, facecolor='white')
        with matplotlib.rc_context(STYLE):
            write_whole(path, draw)

    def save(self, folder: Path) -> tuple[Path, Path]:
        """Write ``<name>.png`` and ``<name>.svg``, each whole or not at all.

        Args:
            folder: Created if it is missing.

        Returns:
            Both paths.
        """
        png, svg = folder / f'{self.name}.png', folder / f'{self.name}.svg'
        self.save_png(png)
        self.save_svg(svg)
        return png, svg


def _inline(svg: str, *, name: str, alt: str) -> Markup:
    body = svg[svg.index('<svg'):]
    body = re.sub(r'<metadata>.*?</metadata>', '', body, flags=re.DOTALL)
    body = re.sub(r'\sxmlns(:\w+)?="[^"]*"', '', body)
    # The page sets the width; the view box keeps the proportions.
    opening, rest = body.split('>', 1)
    opening = re.sub(r'\s(width|height|version)="[^"]*"', '', opening)
    for ink, variable in CSS_VARIABLES.items():
        rest = rest.replace(ink, f'var({variable})')
    rest = re.sub(r"font: ([^;\"]*?)'[^;\"]*", r'font: \1var(--font)', rest)
    rest = re.sub(r'font-family: [^;"]*', 'font-family: var(--font)', rest)
    # matplotlib numbers ids from 1 in every figure; in one page they must differ.
    rest = re.sub(r'(\bid="|url\(#|href="#)', rf'\g<1>chart-{name}-', rest)
    title_id = f'chart-{name}-title'
    title = f'<title id="{title_id}">{escape(alt)}</title>'
    # matplotlib has escaped the texts that it drew.
    return Markup(f'{opening} role="img" aria-labelledby="{title_id}">{title}{rest}')


def new_figure(*, width: float, height: float) -> tuple[Figure, Axes]:
    """Create an empty chart; sizes are in inches."""
    # Not by pyplot, which keeps every figure and may look for a display.
    figure = Figure(figsize=(width, height), layout='constrained')
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def new_row(columns: int, *, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """Create an empty figure of charts side by side; sizes of the whole are in inches."""
    figure = Figure(figsize=(width, height), layout='constrained')
    FigureCanvasAgg(figure)
    return figure, [figure.add_subplot(1, columns, i + 1) for i in range(columns)]


def new_column(heights: Sequence[float], *, width: float) -> tuple[Figure, list[Axes]]:
    """Create an empty figure of charts one below another; sizes are in inches."""
    figure = Figure(figsize=(width, sum(heights)), layout='constrained')
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    return figure, [figure.add_subplot(grid[i, 0]) for i in range(len(heights))]
