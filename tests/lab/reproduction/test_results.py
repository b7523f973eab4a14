"""From runs to table.json, table.md and report.html: nothing invented, nothing unlabelled."""
import json
import re
import statistics
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auglocal_mm.lab.pages.figure import summarise
from auglocal_mm.lab.reproduction.collect import collect
from auglocal_mm.lab.reproduction.markdown import render_markdown
from auglocal_mm.lab.reproduction.publish import publish
from auglocal_mm.lab.reproduction.report import draw_charts
from auglocal_mm.lab.reproduction.settings import Settings
from auglocal_mm.lab.reproduction.steps import Train
from auglocal_mm.lab.reproduction.table import TOP1, Claim, Published, Row, Table
from auglocal_mm.lab.runs.console import duration
from auglocal_mm.lab.runs.run import OtherRunError, Run

FULL = Settings(seeds=2)
SHORT = replace(FULL, epochs_scale=0.1, batch_size=64)
TABLE = Table('9', 'A small table', (TOP1,), (
    Row('bp', 'BP', 'bp', 'bp/resnet32_cifar10.py', paper={TOP1.key: Published(94.61, 0.18)}),
    Row('auglocal', 'AugLocal', 'auglocal', 'auglocal/resnet32_cifar10.py',
        paper={TOP1.key: Published(93.96, 0.15)}),
    Row('dgl', 'DGL', 'dgl', 'dgl/resnet32_cifar10.py')),
    (Claim('bp', 'auglocal'), Claim('auglocal', 'dgl')))


def make_run(folder, row, seed, top1, *, epochs=2):
    """A run as tools/train.py would have left it, with one validation an epoch."""
    run_folder = folder / row.name / f'seed{seed}'
    step = Train(Path('root'), f'configs/{row.config}', run_folder / 'train', (), (), epochs)
    run = Run(row, seed, run_folder, (step,))
    if top1 is not None:
        run.begin()
        logs = run_folder / 'train/20260101_000000/vis_data'
        logs.mkdir(parents=True)
        lines = []
        for epoch in range(1, epochs + 1):
            lines += [{'loss': 2.0 / epoch, 'lr': 0.1, 'step': 10 * epoch},
                      {TOP1.key: top1 - epochs + epoch, 'step': epoch}]
        (logs / 'scalars.json').write_text(''.join(json.dumps(line) + '\n' for line in lines))
        (run_folder / f'train/epoch_{epochs}.pth').touch()
        run.add_seconds(step, 60.0)
    return run


@pytest.fixture
def runs(tmp_path):
    top1 = {'bp': (90.0, 91.0), 'auglocal': (88.0, 88.5), 'dgl': (89.0, None)}
    return [make_run(tmp_path, row, seed, top1[row.name][seed])
            for seed in (0, 1) for row in TABLE.rows]


@given(st.lists(st.floats(0, 100), min_size=1, max_size=5))
def test_a_summary_is_that_of_the_statistics_module(values):
    summary = summarise(values)
    assert summary['n'] == len(values)
    assert summary['mean'] == pytest.approx(sum(values) / len(values))
    assert (summary['std'] is None) == (len(values) == 1)
    if len(values) > 1:
        assert summary['std'] == statistics.stdev(values)


def test_the_last_epoch_counts_not_the_best(tmp_path):
    run = make_run(tmp_path, TABLE.rows[0], 0, 50.0)
    scalars = next(run.folder.rglob('scalars.json'))
    scalars.write_text(scalars.read_text().replace('49.0', '99.0'))
    assert run.measured() == {TOP1.key: 50.0}


def test_a_run_is_done_with_its_last_checkpoint_and_its_last_validation(tmp_path):
    run = make_run(tmp_path, TABLE.rows[0], 0, 50.0)
    assert run.state == 'done'
    checkpoint = run.steps[0].checkpoint
    checkpoint.unlink()
    assert run.state == 'missing'
    (run.folder / 'train/last_checkpoint').write_text('epoch_1.pth')
    assert run.state == 'interrupted'
    assert run.measured() == {}
    assert '--resume' in run.steps[0].command()
    checkpoint.touch()
    # Stopped between the last checkpoint and the last validation: the last epoch is run again.
    (run.folder / 'train/last_checkpoint').write_text(f'somewhere/{checkpoint.name}')
    assert '--resume' not in run.steps[0].command()
    before = checkpoint.with_name('epoch_1.pth')
    before.touch()
    command = run.steps[0].command()
    assert command[command.index('--resume') + 1] == str(before)
    scalars = next(run.folder.rglob('scalars.json'))
    scalars.write_text('\n'.join(scalars.read_text().splitlines()[:-1]) + '\n')
    assert run.state == 'interrupted'


def test_other_settings_are_refused_in_a_used_folder(tmp_path):
    run = make_run(tmp_path, TABLE.rows[0], 0, 50.0)
    run.check()
    step = replace(run.steps[0], options=('model.local.depth=9',))
    with pytest.raises(OtherRunError, match=r'(?s)other settings.*depth=9.*--work-dir'):
        replace(run, steps=(step,)).check()
    for arguments in (('--amp',), ('--image-folder', 'images')):
        with pytest.raises(OtherRunError, match=arguments[0]):
            replace(run, steps=(replace(run.steps[0], arguments=arguments),)).check()
    moved = replace(run.steps[0], options=('train_dataloader.dataset.data_root=elsewhere',))
    replace(run, steps=(moved,)).check()


def test_figures_and_orderings(runs):
    result = collect(TABLE, FULL, runs)
    bp, auglocal, dgl = result['rows']
    assert bp['ours'][TOP1.key] == {'mean': 90.5, 'std': pytest.approx(0.7071, abs=1e-4), 'n': 2,
                                    'values': [90.0, 91.0]}
    assert auglocal['ours'][TOP1.key]['mean'] == 88.25
    assert dgl['ours'][TOP1.key]['n'] == 1
    assert [claim['holds'] for claim in result['claims']] == [True, False]
    assert result['claims'][0]['difference'] == 2.25
    assert result['claims'][0]['paper'] == pytest.approx(0.65)
    assert result['claims'][1]['spread'] is result['claims'][1]['paper'] is None
    assert (result['complete'], result['scaled']) == (False, False)


def single_spaced(text):
    return re.sub(' +', ' ', text)


def test_markdown_has_ours_beside_the_papers(runs):
    text = single_spaced(render_markdown(collect(TABLE, FULL, runs)))
    assert '| BP | 90.50 ± 0.71 | 94.61 ± 0.18 |' in text
    assert '| DGL | 89.00 | – |' in text
    assert '| BP > AugLocal | yes | +2.25 ± 0.79 | +0.65 |' in text
    assert '| AugLocal > DGL | no | −0.75 | – |' in text
    assert 'n = 1–2 runs per row' in text
    assert 'Some runs are not done yet' in text


def test_without_a_run_nothing_is_claimed(tmp_path):
    runs = [make_run(tmp_path, row, 0, None) for row in TABLE.rows]
    result = collect(TABLE, FULL, runs)
    assert not any(row['ours'] for row in result['rows'])
    text = single_spaced(render_markdown(result))
    assert '| BP | – | 94.61 ± 0.18 |' in text
    assert 'not known yet' in text
    assert 'no run is done yet' in text


@pytest.mark.parametrize(('settings', 'labelled'), [(FULL, False), (SHORT, True)])
def test_a_shorter_run_is_labelled_everywhere(runs, settings, labelled, tmp_path):
    result = collect(TABLE, settings, runs)
    folder = publish(TABLE, result, runs, tmp_path / 'table')
    stored = json.loads((folder / 'table.json').read_text())
    assert stored == result
    assert stored['scaled'] is labelled
    for name in ('table.md', 'report.html'):
        text = (folder / name).read_text()
        assert ('SCALED DOWN' in text) is labelled
        assert ('0.1 of the paper' in text) is labelled
    pictures = re.findall(r'<title id=[^>]*>(.*?)</title>', (folder / 'report.html').read_text())
    assert len(pictures) == 3
    assert all(('scaled-down runs' in each) is labelled for each in pictures)


def test_the_report_stands_alone_and_has_its_pictures(runs, tmp_path):
    folder = publish(TABLE, collect(TABLE, SHORT, runs), runs, tmp_path / 'table')
    page = (folder / 'report.html').read_text()
    assert not re.search(r'(src|href)="(?!#)', page)
    assert page.count('<svg') == 3
    assert {path.name for path in folder.glob('*.png')} == {
        'comparison.png', 'loss.png', 'metric.png'}
    for row in TABLE.rows:
        assert row.label in page


def test_no_label_and_no_command_is_markup(tmp_path):
    script = '<script>alert(1)</script>'
    row = replace(TABLE.rows[0], label=script)
    table = replace(TABLE, title=script, note=script, rows=(row,), claims=())
    run = make_run(tmp_path, row, 0, 90.0)
    run = replace(run, steps=(replace(run.steps[0], options=(f'work_dir={script}',)),))
    page = (publish(table, collect(table, FULL, [run]), [run], tmp_path / 'table')
            / 'report.html').read_text()
    assert '<script' not in page
    # Title and heading, note, both tables, every picture and the command.
    assert page.count('&lt;script&gt;') >= 7


def test_an_unfinished_seed_is_in_no_picture(tmp_path):
    row = TABLE.rows[0]
    runs = [make_run(tmp_path, row, seed, 90.0) for seed in (0, 1)]
    runs[1].steps[-1].checkpoint.unlink()
    table = TABLE.select(['bp'])
    charts = {chart.name: chart.alt for chart in draw_charts(
        table, collect(table, FULL, runs), runs)}
    assert 'BP 90.00' in charts['metric'] and 'mean of 2' not in charts['metric']


def test_pictures_have_the_tables_unit(tmp_path):
    table = replace(TABLE.select(['bp']), metrics=(replace(TOP1, factor=100, digits=1),))
    runs = [make_run(tmp_path, table.rows[0], 0, 0.363)]
    charts = {chart.name: chart.alt for chart in draw_charts(
        table, collect(table, FULL, runs), runs)}
    assert 'BP 36.3' in charts['metric']


def test_a_selection_says_so(tmp_path):
    table = TABLE.select(['bp'])
    runs = [make_run(tmp_path, table.rows[0], 0, 90.0)]
    assert 'A selection of the table' in render_markdown(collect(table, FULL, runs))


@pytest.mark.parametrize(('seconds', 'text'), [(5, '5 s'), (119, '119 s'), (600, '10 min'),
                                               (3599, '1 h 00 min'), (7500, '2 h 05 min')])
def test_duration(seconds, text):
    assert duration(seconds) == text
