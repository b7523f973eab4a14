import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg

from auglocal_mm.lab.drawing.chart import COLORS, NAMES, new_figure
from auglocal_mm.lab.drawing.line_labels import LineEnd, label_ends, spread
from auglocal_mm.lab.drawing.line_styles import line_styles, rule_of, shades_of

heights = st.lists(st.floats(0, 1), min_size=1, max_size=9)


@given(heights, st.floats(0.001, 0.11))
def test_spread_heights_keep_order_distance_and_bounds(wanted, gap):
    placed = spread(wanted, gap=gap, low=0.0, high=1.0)
    assert min(placed) >= -1e-9 and max(placed) <= 1 + 1e-9
    ranked = sorted(range(len(wanted)), key=lambda i: wanted[i])
    assert all(placed[b] - placed[a] >= gap - 1e-9 for a, b in itertools.pairwise(ranked))


def test_heights_that_are_apart_stay_and_close_ones_part_evenly():
    assert spread([0.9, 0.1, 0.5], gap=0.2, low=0, high=1) == pytest.approx([0.9, 0.1, 0.5])
    assert spread([0.5, 0.5], gap=0.2, low=0, high=1) == pytest.approx([0.4, 0.6])
    assert spread([0.98, 1.0], gap=0.2, low=0, high=1) == pytest.approx([0.8, 1.0])
    assert spread([0.5] * 11, gap=0.5, low=0, high=1) == pytest.approx([i / 10 for i in range(11)])


def test_no_label_lies_on_another():
    figure, axes = new_figure(width=5, height=3)
    axes.plot([0, 1], [0, 1])
    figure.draw_without_rendering()
    label_ends(axes, [LineEnd(1, y, f'line {y}', {'color': 'k'})
                      for y in (0.5, 0.51, 0.5, 1, 0.98)])
    figure.draw_without_rendering()
    renderer = FigureCanvasAgg(figure).get_renderer()
    boxes = [text.get_window_extent(renderer) for text in axes.texts if text.get_text()]
    assert len(boxes) == 5
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))


@pytest.mark.parametrize(('name', 'rule'), [
    *((shown, key) for key, shown in NAMES.items()), ('auglocal d = 2', 'auglocal'),
    ('BP, seed 1', 'bp'), ('BPTT', None), ('mine', None), ('DGL-d4', 'dgl')])
def test_a_line_belongs_to_the_rule_it_is_named_for(name, rule):
    assert rule_of(name) == rule


def test_lines_of_one_rule_differ_in_shade_dashes_and_mark():
    names = ['BP', *(f'AugLocal d = {d}' for d in range(2, 7)), 'mine', 'yours']
    styles = line_styles(names)
    assert list(styles) == names and styles['BP']['color'] == COLORS['bp']
    depths = [styles[name] for name in names[1:6]]
    for key in ('color', 'linestyle', 'marker'):
        assert len({str(style[key]) for style in depths}) == 5
    assert len({styles[name]['color'] for name in names}) == len(names)
    chosen = line_styles(names, colors={'mine': 'red'}, dashes={'BP': ':'})
    assert (chosen['mine']['color'], chosen['BP']['linestyle']) == ('red', ':')


def test_shades_go_from_light_to_dark_through_the_colour_itself():
    assert shades_of('#d55e00', 1) == ['#d55e00']
    shades = shades_of('#d55e00', 5)
    assert shades[2] == '#d55e00'
    brightness = [sum(bytes.fromhex(shade[1:])) for shade in shades]
    assert brightness == sorted(brightness, reverse=True) and len(set(brightness)) == 5
