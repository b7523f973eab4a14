"""From runs to results.json, results.md and report.html: nothing invented, all of it there."""
import json
import re
import statistics

import pytest
from transfer_set import finish

from auglocal_mm.lab.transfer.charts import draw_charts, validated
from auglocal_mm.lab.transfer.collect import collect
from auglocal_mm.lab.transfer.error_types import KINDS
from auglocal_mm.lab.transfer.images import TRUTH, compared_images, images_chart
from auglocal_mm.lab.transfer.markdown import render_markdown
from auglocal_mm.lab.transfer.plan import score_of
from auglocal_mm.lab.transfer.publish import publish


@pytest.fixture
def result(finished):
    return collect(finished.backbones, finished.detector, finished.validation, finished.runs)


def test_figures_are_means_over_the_seeds_that_are_done(finished, result):
    bp, other = result['rows']
    each = [100 * score_of(run).scores['bbox']['AP'] for run in finished.runs[:3]]
    assert bp['kinds']['bbox']['figures']['AP'] == {
        'mean': pytest.approx((each[0] + each[2]) / 2), 'n': 2,
        'std': pytest.approx(abs(each[0] - each[2]) / 2**0.5), 'values': [each[0], each[2]]}
    assert other['kinds']['bbox']['figures']['AP']['values'] == [each[1]]
    assert bp['kinds']['bbox']['figures']['APs'] is None
    assert result['complete'] is False
    assert set(result['classes']) == {'cat', 'dog', 'cow'}
    difference, = result['differences']
    assert (difference['name'], difference['from']) == ('<b>', 'BP')
    assert difference['AP']['box'] == {'mean': pytest.approx(each[1] - (each[0] + each[2]) / 2),
                                       'std': None}


def test_markdown_has_every_table(result):
    text = render_markdown(result)
    row, = re.findall(r'^\| BP \|.*\|$', text, flags=re.MULTILINE)
    cells = [cell.strip() for cell in row.strip('|').split('|')]
    # No small and no large objects.
    assert (cells[4], cells[6]) == ('–', '–')
    assert re.fullmatch(r'\d+\.\d ± \d+\.\d', cells[1])
    assert '| <b> − BP | ' in text and 'not known from one seed' in text
    assert 'n = 1–2 per backbone' in text
    assert 'Some runs are not done yet' in text
    for name in KINDS:
        assert f'| {name} | ' in text


def test_the_page_stands_alone_and_has_all_pictures(finished, result):
    publish(result, finished.validation, finished.runs, finished.folder)
    page = (finished.folder / 'report.html').read_text()
    assert not re.search(r'(src|href)="(?!#|data:image/jpeg;base64,)', page)
    assert json.loads((finished.folder / 'results.json').read_text()) == result
    assert {path.name for path in finished.folder.glob('*.png')} == {
        'loss.png', 'box-ap.png', 'ap.png', 'errors.png', 'images.png'}
    # Four charts, and of each of four images the truth and two backbones.
    assert page.count('<svg') == 4 + 4 * 3
    assert page.count('<image ') == 4
    # No name is markup.
    assert '<b>' not in page and '&lt;b&gt;' in page
    assert 'AP of objects below 32' in page
    for section in ('figures', 'curves', 'errors', 'images', 'classes', 'runs'):
        assert f'id="{section}"' in page


def test_without_a_run_there_is_a_page(planned):
    empty = collect(planned.backbones, planned.detector, planned.validation, planned.runs)
    publish(empty, planned.validation, planned.runs, planned.folder)
    assert 'n = 0 per backbone' in (planned.folder / 'results.md').read_text()
    assert '<svg' not in (planned.folder / 'report.html').read_text()


def test_an_image_shows_as_many_predictions_as_it_has_objects(finished):
    first, *_ = compared_images(finished.validation, finished.runs)
    assert list(first.instances) == [TRUTH, 'BP', '<b>']
    truth, found = first.instances[TRUTH], first.instances['BP']
    assert len(truth) == len(found) == 2
    # The surest one, which is no object, is drawn last.
    assert found[-1]['box'] == [90.0, 90.0, 4.0, 4.0]
    assert {each['label'] for each in truth} <= {'cat', 'dog', 'cow'}
    assert all(not each['outline'] for each in truth)


def test_a_label_covers_those_below_it(finished):
    """Two predictions may have the same box; their words must not be written over each other."""
    axes = images_chart(compared_images(finished.validation, finished.runs)).figure.axes[1]
    words = [text for text in axes.texts if text.get_text()]
    tags = axes.patches[-len(words):]
    assert len(words) == 2
    # matplotlib draws in this order, and what was added first of those that share one.
    assert [each.get_zorder() for each in tags] == [each.get_zorder() for each in words] == [10, 11]


def test_a_difference_has_the_spread_of_both(finished):
    finish(finished.runs[3], shift=6.0)
    result = collect(finished.backbones, finished.detector, finished.validation, finished.runs)
    bp, other = ([score_of(run).scores['bbox']['AP'] * 100 for run in finished.runs[first::2]]
                 for first in (0, 1))
    difference = result['differences'][0]['AP']['box']
    assert difference['std'] == pytest.approx(
        (statistics.variance(bp) + statistics.variance(other)) ** 0.5)
    assert result['complete']


def test_the_curve_of_ap_ends_with_the_tables_value(finished, result):
    bp = {'rows': result['rows'][:1]}
    charts = {chart.name: chart.alt for chart in draw_charts({**result, **bp},
                                                             finished.runs[:1])}
    value = 100 * score_of(finished.runs[0]).scores['bbox']['AP']
    assert f'at the end BP {value:.1f}.' in charts['box-ap']
    # What was logged is a fraction; -1 stands for nothing to find.
    assert validated(finished.runs[0], 'bbox', None).values == (10.0, 20.0)
    scalars = next(finished.runs[0].folder.rglob('scalars.json'))
    scalars.write_text(scalars.read_text().replace('"coco/bbox_mAP": 0.1', '"coco/bbox_mAP": -1.0'))
    assert validated(finished.runs[0], 'bbox', None).values == (20.0,)
    assert finished.runs[0].measured() == {'box AP': pytest.approx(value)}


def test_a_frozen_backbone_is_said_first(finished, result):
    assert 'was frozen' in render_markdown({**result, 'frozen': True}).splitlines()[2]
    assert 'frozen' not in render_markdown(result)
