import copy
import re
from html.parser import HTMLParser

import pytest
from demo_results import made_evidence, made_results

from auglocal_mm.lab.demo.report import draw_charts, render

SECTIONS = ('numbers', 'classification', 'depth', 'memory', 'detection', 'scenes', 'plan',
            'making')
VOID = {'meta', 'image', 'use', 'br', 'link', 'path', 'rect'}


class Page(HTMLParser):
    """Collects what a test asks about, and complains about unbalanced tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.references: list[str] = []
        self.unnamed_pictures = 0
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.note(tag, dict(attrs))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.note(tag, dict(attrs))

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        assert self.open.pop() == tag

    def note(self, tag, attributes):
        if 'id' in attributes:
            self.ids.append(attributes['id'])
        for name in ('href', 'src', 'xlink:href', 'srcset', 'data'):
            if name in attributes:
                self.links.append(attributes[name])
        self.references += re.findall(r'url\(#([^)]*)\)', ' '.join(map(str, attributes.values())))
        if tag == 'svg' and not {'aria-label', 'aria-labelledby'} & set(attributes):
            self.unnamed_pictures += 1


@pytest.fixture(scope='module')
def text() -> str:
    return render(made_results(), made_evidence())


def test_has_every_section_and_named_pictures(text):
    page = Page(text)
    assert [identifier for identifier in page.ids if identifier in SECTIONS] == list(SECTIONS)
    assert page.unnamed_pictures == 0


def test_asks_for_nothing_outside_itself(text):
    page = Page(text)
    assert page.links
    assert all(link.startswith(('data:image/png;base64,', '#')) for link in page.links)
    assert not re.search(r'@import|url\((?!#)', text)
    assert 'http' not in text


def test_ids_are_unique_and_references_lead_somewhere(text):
    page = Page(text)
    assert len(page.ids) == len(set(page.ids))
    wanted = [link[1:] for link in page.links if link.startswith('#')] + page.references
    assert set(wanted) <= set(page.ids)


def test_says_the_numbers_the_seed_and_the_conditions(text):
    for said in ('97.2', '96.4', '20.4 MiB', '0.762', '0.751', '−0.011', 'n = 1 (one seed, 0)',
                 'A &lt;fast&gt; processor, 2 cores', 'torch 2.11.0', 'tools/demo.py --seed 0',
                 'All 4 acceptance limits are met', '17.3', '12.2 MiB', '−0.020',
                 'AugLocal, detector too − BP', 'keeps\n71 % of what',
                 'layer2.0 · 32 ch · ½', 'n = 360'):
        assert said in text, said


def test_never_hides_a_failure(results, evidence):
    failing = copy.deepcopy(results)
    failing['classification']['auglocal']['top1'] = 50.0
    text = render(failing, evidence)
    assert '1 of the 4 acceptance limits failed' in text
    assert text.count('✗ Fail') == 1
    assert 'limits are met' not in text


def test_rendering_twice_gives_the_same_page(results, evidence, text):
    assert render(results, evidence) == text


def test_inks_follow_the_page(text):
    charts = text[text.index('<body>'):text.index('id="scenes"')]
    assert 'var(--auglocal)' in charts
    assert 'var(--ink)' in charts
    assert not re.search(r'(fill|stroke): #', charts)


def test_draws_runs_without_validation(results, evidence):
    empty = copy.deepcopy(evidence)
    empty['curves']['detection']['bp']['val'] = {}
    assert 'id="detection"' in render(results, empty)


def test_charts_can_be_saved(tmp_path, results, evidence):
    for name, chart in draw_charts(results, evidence).items():
        chart.save_png(tmp_path / f'{name}.png', dpi=40)
        assert (tmp_path / f'{name}.png').read_bytes().startswith(b'\x89PNG')


def test_nothing_that_was_measured_or_typed_is_markup(results, evidence):
    """In texts, attributes and drawn labels; Page complains about each tag that is left open."""
    script = '<script>alert("1")</script>'
    results['command'] = results['hardware']['cpu'] = script
    evidence['commands'] = [script]
    evidence['settings']['detection'] = script
    evidence['local_accuracy']['accuracy'] = {script: 50.0, 'head': 96.4}
    evidence['local_accuracy']['plan']['layers'][0]['name'] = script
    evidence['scenes']['items'][0]['bp'][0]['label'] = script
    text = render(results, evidence)
    Page(text)
    assert '<script' not in text
    assert text.count('&lt;script&gt;') >= 8
    assert 'aria-label="BP: &lt;script&gt;alert(&#34;1&#34;)' in text
