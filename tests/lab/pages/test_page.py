"""Pages escape what they show, share a frame, and do not render without a value."""
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import TemplateNotFound, UndefinedError
from markupsafe import Markup

from auglocal_mm.lab.drawing.chart import Chart, new_figure
from auglocal_mm.lab.pages.page import render_page
from auglocal_mm.lab.pages.signed import signed

PAGE = '''{% extends 'base.html' %}
{% from 'parts.html' import chart, section, table %}
{% block title %}{{ said }}{% endblock %}
{% block main %}
{% call section(said, id='one') %}
<p title="{{ said }}">{{ said }}</p>
{% call table([said, 'b'], right=[1]) %}<tr><td>{{ change | signed(3) }}</td></tr>{% endcall %}
{% if drawn %}{{ chart(drawn) }}{% endif %}
{% endcall %}
{% endblock %}
'''


@pytest.fixture(scope='module')
def room(tmp_path_factory):
    """A package with a template of its own."""
    folder = tmp_path_factory.mktemp('rooms')
    (folder / 'room_of_a_page/templates').mkdir(parents=True)
    (folder / 'room_of_a_page/__init__.py').touch()
    (folder / 'room_of_a_page/templates/page.html').write_text(PAGE)
    sys.path.insert(0, str(folder))
    yield 'room_of_a_page'
    sys.path.remove(str(folder))


def render(room, said='x', change=-0.5, drawn=None):
    return render_page('page.html', room=room, said=said, change=change, drawn=drawn)


@settings(max_examples=20)
@given(st.text(st.sampled_from('<>&"\'a {}%')))
def test_a_text_is_a_text_wherever_it_is_shown(room, said):
    text = render(room, said)
    escaped = str(Markup.escape(said))
    assert f'<title>{escaped}</title>' in text and f'>{escaped}</th>' in text
    assert f'<p title="{escaped}">{escaped}</p>' in text


def test_a_script_is_shown_and_not_run(room):
    text = render(room, '<script>alert(1)</script>')
    assert '<script' not in text and text.count('&lt;script&gt;') == 5


def test_a_chart_is_markup_and_what_it_says_is_not(room):
    figure, axes = new_figure(width=2, height=1)
    axes.set_title('<script>')
    chart = Chart('name', 'a & "b" <script>', figure)
    assert isinstance(chart.svg(), Markup)
    text = render(room, drawn=chart)
    assert '<div class="chart wide"><svg' in text and '<script' not in text
    assert '<title id="chart-name-title">a &amp; &#34;b&#34; &lt;script&gt;</title>' in text


def test_every_page_has_the_style_and_nothing_from_outside(room):
    text = render(room)
    assert text.startswith('<!doctype html>\n<html lang="en">') and text.endswith('</html>\n')
    style = text[text.index('<style>'):text.index('</style>')]
    assert '--auglocal:' in style and '.banner {' in style and '{%' not in style
    assert '<section id="one" aria-labelledby="one-title">' in text
    assert 'http' not in text


def test_what_is_not_given_is_an_error(room):
    with pytest.raises(UndefinedError, match="'said' is undefined"):
        render_page('page.html', room=room, change=1)
    with pytest.raises(TemplateNotFound):
        render_page('other.html', room=room)


@pytest.mark.parametrize(('value', 'digits', 'text'), [
    (0.125, 2, '+0.12'), (-0.5, 3, '−0.500'), (0.0, 2, '+0.00')])
def test_a_signed_number(value, digits, text):
    assert signed(value, digits) == text
