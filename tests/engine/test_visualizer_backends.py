"""Every value of local training reaches a visualizer backend that a config adds in one line."""
import pytest
from mmengine.config import Config
from mmengine.registry import VISBACKENDS
from mmengine.visualization import BaseVisBackend, WandbVisBackend

from auglocal_mm.engine.launch import build_runner

#: As docs/analysis.md has it, `{}` being the backend.
ONE_LINE = ("visualizer = dict(vis_backends=[dict(type='LocalVisBackend'), "
            "dict(type='{}')])")
CONFIG = '''
_base_ = '{}/configs/demo/resnet34-slim_digits_auglocal.py'
model = dict(backbone=dict(depth=18, stem_channels=4, base_channels=2),
             head=dict(in_channels=16))
train_dataloader = dict(batch_size=24, dataset=dict(indices=72))
val_dataloader = dict(dataset=dict(indices=20))
default_hooks = dict(logger=dict(interval=2))
train_cfg = dict(max_epochs=1)
param_scheduler = []
'''


class Recording(BaseVisBackend):
    """Keeps the calls, and refuses what TensorBoard's backend would refuse."""

    calls: list[tuple[dict, int]] = []  # noqa: RUF012

    def _init_env(self):
        pass

    @property
    def experiment(self):
        return self

    def add_config(self, config, **kwargs):
        config.to_dict()

    def add_scalars(self, scalar_dict, step=0, file_path=None, **kwargs):
        assert 'step' not in scalar_dict
        assert all(isinstance(value, int | float) for value in scalar_dict.values())
        self.calls.append((dict(scalar_dict), step))


def test_the_line_is_the_one_that_the_page_shows(root):
    page = ' '.join((root / 'docs/analysis.md').read_text().split())
    assert ONE_LINE.format('TensorboardVisBackend') in page.replace('[ ', '[').replace(' ]', ']')


def train(root, folder, backend):
    path = folder / 'config.py'
    path.write_text(CONFIG.format(root) + ONE_LINE.format(backend))
    cfg = Config.fromfile(path)
    cfg.update(work_dir=str(folder / 'run'), experiment_name=str(folder).replace('/', '-'),
               launcher='none')
    runner = build_runner(cfg, splits=('train', 'val'))
    runner.train()
    return runner


@pytest.fixture
def recording():
    """Register the backend for one test."""
    VISBACKENDS.register_module(name='RecordingVisBackend', module=Recording)
    Recording.calls = []
    yield Recording
    VISBACKENDS.module_dict.pop('RecordingVisBackend')


def expected_names(runner):
    return {f'local/{kind}/{name}' for kind in ('loss', 'accuracy')
            for name in runner.model.local_metrics.names} | {'loss', 'local_loss', 'lr'}


def test_local_losses_arrive_as_scalars_with_their_iteration(root, tmp_path, recording):
    runner = train(root, tmp_path, 'RecordingVisBackend')
    steps = {}
    for scalars, step in recording.calls:
        for name in scalars:
            steps.setdefault(name, []).append(step)
    assert expected_names(runner) <= set(steps)
    assert steps['local/loss/stem'] == [2] and steps['accuracy/top1'] == [1]
    # In the host's own rows: no row holds local values alone.
    assert all('loss' in scalars for scalars, _ in recording.calls if 'local/loss/stem' in scalars)
    # The files that plot_curves.py reads are written as well.
    assert list((tmp_path / 'run').glob('*/vis_data/scalars.json'))


def test_a_backend_without_its_package_is_refused_before_anything_is_made(
        root, tmp_path, monkeypatch):
    monkeypatch.setattr('auglocal_mm.engine.launch.find_spec', lambda name: None)
    with pytest.raises(ValueError, match=r'WandbVisBackend .*pip install wandb'):
        train(root, tmp_path, 'WandbVisBackend')
    assert not (tmp_path / 'run').exists()


def test_tensorboard_shows_them(root, tmp_path):
    pytest.importorskip('tensorboard')
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    runner = train(root, tmp_path, 'TensorboardVisBackend')
    runner.visualizer.close()
    events = EventAccumulator(str(next((tmp_path / 'run').glob('*/vis_data')))).Reload()
    assert expected_names(runner) <= set(events.Tags()['scalars'])
    assert [event.step for event in events.Scalars('local/loss/stem')] == [2]


def test_wandb_takes_them(root, tmp_path, monkeypatch):
    wandb = pytest.importorskip('wandb')
    monkeypatch.setenv('WANDB_MODE', 'offline')
    monkeypatch.setenv('WANDB_SILENT', 'true')
    # A closed run no longer tells what it was given.
    monkeypatch.setattr(WandbVisBackend, 'close', lambda backend: None)
    runner = train(root, tmp_path, 'WandbVisBackend')
    assert expected_names(runner) <= set(wandb.run.summary.keys())
    wandb.finish()
