"""The progress of a training, from the rows that mmengine writes."""
import json

import pytest
from digit_runs import config, train
from hypothesis import given, settings
from hypothesis import strategies as st

from auglocal_mm.lab.jobs import Progress, ProgressReader
from auglocal_mm.lab.jobs.progress import EpochLength


class Run:
    """A work directory in which starts are simulated."""

    def __init__(self, work_dir) -> None:
        self.work_dir = work_dir
        self.path = None

    def start(self, name: str) -> None:
        self.path = self.work_dir / name / 'vis_data' / 'scalars.json'
        self.path.parent.mkdir(parents=True)

    def write(self, *rows, end: str = '\n') -> None:
        with self.path.open('a') as file:
            file.write('\n'.join(json.dumps(row) for row in rows) + end)


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path / 'run')


def row(epoch: int, step: int, loss: float = 1.5) -> dict:
    return {'lr': 0.1, 'loss': loss, 'time': 0.1, 'epoch': epoch, 'iter': step, 'step': step,
            'local/loss/stem': 2.0}


def top1(epoch: int, value: float = 97.25) -> dict:
    return {'accuracy/top1': value, 'data_time': 0.01, 'step': epoch}


def test_follows_a_training_row_by_row(run):
    reader = ProgressReader(run.work_dir)
    assert reader.read() == Progress()
    run.start('20260101_000000')
    assert reader.read() == Progress()
    run.write(row(1, 10), row(1, 20))
    assert reader.read() == Progress(epoch=1, loss=1.5)
    run.write(top1(1))
    assert reader.read() == Progress(epoch=1, fraction=1.0, loss=1.5, metric='top-1 97.2')
    run.write(row(2, 35, loss=0.5))
    assert reader.read() == Progress(epoch=2, fraction=10 / 25, loss=0.5, metric='top-1 97.2')
    run.write({'coco/segm_mAP': 0.1, 'coco/bbox_mAP': 0.7124, 'step': 2})
    assert reader.read() == Progress(epoch=2, fraction=1.0, loss=0.5, metric='box AP 0.712')
    assert reader.read() == reader.read()


def test_a_known_length_shows_the_first_epoch(run):
    reader = ProgressReader(run.work_dir, iterations=40)
    run.start('20260101_000000')
    run.write(row(1, 10))
    assert reader.read() == Progress(epoch=1, fraction=10 / 40, loss=1.5)


def test_an_incomplete_last_line_waits(run):
    reader = ProgressReader(run.work_dir)
    run.start('20260101_000000')
    run.write(row(1, 10), row(1, 20, loss=7.0), end='')
    assert reader.read() == Progress(epoch=1, loss=1.5)
    run.write(end='\n')
    assert reader.read() == Progress(epoch=1, loss=7.0)


def test_what_earlier_starts_wrote_is_left_alone(run):
    for name in ('20260101_000000', '20260102_000000'):
        run.start(name)
        run.write(row(7, 70), top1(7))
    reader = ProgressReader(run.work_dir)
    assert reader.read() == Progress()
    run.start('20260103_000000')
    run.write(row(8, 73), row(8, 76))
    assert reader.read() == Progress(epoch=8, loss=1.5)
    run.write(row(9, 83))
    assert reader.read() == Progress(epoch=9, fraction=3 / 10, loss=1.5)


def test_other_rows_say_nothing(run):
    reader = ProgressReader(run.work_dir)
    run.start('20260101_000000')
    # A run that counts iterations has no epochs; a backend of another kind writes what it likes.
    run.write({'loss': 1.0, 'iter': 5, 'step': 5}, {'local/loss/stem': 1.0, 'step': 5},
              {'mIoU': 3.0, 'step': 5})
    assert reader.read() == Progress()


@settings(max_examples=50)
@given(length=st.integers(1, 30), interval=st.integers(1, 35), begun=st.integers(0, 120))
def test_the_length_of_an_epoch_is_known_in_the_third_epoch_at_the_latest(length, interval, begun):
    """The rows of mmengine's LoggerHook, in a run that begins or is resumed anywhere."""
    learnt, seen = EpochLength(), set()
    for step in range(begun + 1, begun + 4 * length + 1):
        epoch, inner = (step - 1) // length + 1, (step - 1) % length + 1
        if inner % interval == 0 or (inner == length and length <= interval):
            learnt.see(epoch, step)
            seen.add(epoch)
            fraction = learnt.fraction(epoch, step)
            assert fraction is None if len(seen) == 1 else fraction in (None, inner / length)
            assert len(seen) < 3 or fraction is not None


def test_a_real_run(tmp_path):
    """What mmengine and our hook write is what the reader understands."""
    reader = ProgressReader(tmp_path / 'run')
    runner = train(config(tmp_path / 'run', epochs=2, **{
        'default_hooks.logger.interval': 2, 'train_cfg.val_interval': 1}))
    logged = runner.message_hub.get_scalar('val/accuracy/top1').current()
    progress = reader.read()
    assert progress.loss > 0
    assert progress.metric == f'top-1 {logged:.1f}'
    assert (progress.epoch, progress.fraction) == (2, 1.0)
    assert reader._length.iterations == 5


def test_describes_itself():
    whole = Progress(epoch=2, fraction=0.4, loss=1.234, metric='box AP 0.712')
    assert whole.describe(9) == 'epoch 2/9 40 % · loss 1.23 · box AP 0.712'
    assert Progress(epoch=1, loss=float('nan')).describe() == 'epoch 1 · loss nan'
    assert Progress().describe(9) == ''


@pytest.mark.parametrize(('progress', 'epochs', 'share'), [
    (Progress(), 4, 0.0), (Progress(epoch=3, fraction=0.5), None, 0.0),
    (Progress(epoch=3), 4, 0.5), (Progress(epoch=3, fraction=0.5), 4, 0.625),
    (Progress(epoch=4, fraction=1.0), 4, 1.0),
])
def test_share_of_the_whole(progress, epochs, share):
    assert progress.share(epochs) == share
