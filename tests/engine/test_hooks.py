"""Hooks in a real run on the digits: what is logged, and what a resumed run repeats."""
import json
import random
import re
import runpy
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from digit_runs import few_digits
from mmengine.config import Config
from mmengine.runner import Runner
from tool_runs import run_forked

from auglocal_mm.checkpoints import CheckpointError
from auglocal_mm.engine.hooks.generators import set_random_state, take_random_state
from auglocal_mm.engine.launch import build_runner, resume_from


def config(root, work_dir, *, epochs=3, workers=0, rule='auglocal', **options):
    cfg = Config.fromfile(root / f'configs/demo/resnet34-slim_digits_{rule}.py')
    cfg.param_scheduler = {'type': 'CosineAnnealingLR', 'T_max': epochs}
    cfg.merge_from_dict({
        'work_dir': str(work_dir), 'experiment_name': f'{work_dir}'.replace('/', '-'),
        'train_cfg.max_epochs': epochs, 'launcher': 'none',
        'model.backbone.depth': 18, 'model.backbone.base_channels': 2,
        'model.backbone.stem_channels': 4, 'model.head.in_channels': 16,
        'train_dataloader.dataset.indices': 48, 'train_dataloader.batch_size': 12,
        'train_dataloader.num_workers': workers, 'val_dataloader.dataset.indices': 48,
        'default_hooks.logger.interval': 2,
        'default_hooks.checkpoint.max_keep_ckpts': -1, **options})
    # Formatting the text of each checkpoint's config takes longer than training for it.
    cfg.__dict__['_format_python_code'] = False
    return cfg


def train(cfg) -> Runner:
    with few_digits():
        runner = build_runner(cfg, splits=('train', 'val'))
        runner.train()
    return runner


def weights(runner):
    return {key: value.clone() for key, value in runner.model.state_dict().items()}


@pytest.mark.parametrize('workers', [pytest.param(0, marks=pytest.mark.slow), 2])
def test_a_resumed_run_ends_with_the_weights_of_an_uninterrupted_one(root, tmp_path, workers):
    whole = train(config(root, tmp_path / 'whole', workers=workers))
    # A restart draws other random numbers before it resumes.
    cfg = config(root, tmp_path / 'resumed', workers=workers)
    resume_from(cfg, str(tmp_path / 'whole' / 'epoch_1.pth'))
    resumed = build_runner(cfg, splits=('train', 'val'))
    for _ in range(5):
        torch.rand(3), np.random.rand(3), random.random()
    resumed.train()
    expected = weights(whole)
    assert all(torch.equal(value, expected[key]) for key, value in weights(resumed).items())
    assert whole.message_hub.get_scalar('val/accuracy/top1').current() == (
        resumed.message_hub.get_scalar('val/accuracy/top1').current())


def test_without_the_saved_states_the_weights_differ(root, tmp_path):
    """The check above can fail: augmentation is random and matters."""
    cfg = config(root, tmp_path / 'whole')
    del cfg.default_hooks.random_state
    whole = train(cfg)
    cfg = config(root, tmp_path / 'resumed')
    del cfg.default_hooks.random_state
    resume_from(cfg, str(tmp_path / 'whole' / 'epoch_1.pth'))
    resumed = build_runner(cfg, splits=('train', 'val'))
    for _ in range(5):
        torch.rand(3), np.random.rand(3), random.random()
    resumed.train()
    expected = weights(whole)
    assert not all(torch.equal(value, expected[key]) for key, value in weights(resumed).items())


def test_starting_from_weights_takes_over_no_random_states(root, tmp_path):
    train(config(root, tmp_path / 'first', epochs=1))
    ends = []
    for seed in (1, 2):
        cfg = config(root, tmp_path / f'tuned{seed}', epochs=1, **{'randomness.seed': seed})
        cfg.load_from = str(tmp_path / 'first' / 'epoch_1.pth')
        ends.append(weights(train(cfg))['head.fc.weight'])
    assert not torch.equal(*ends)


def test_an_exponential_moving_average_follows_the_local_model(root, tmp_path):
    cfg = config(root, tmp_path, epochs=1)
    cfg.custom_hooks.append({'type': 'EMAHook', 'momentum': 0.5})
    runner = train(cfg)
    averaged = next(hook for hook in runner.hooks if type(hook).__name__ == 'EMAHook').ema_model
    own, mean = runner.model.backbone.conv1.weight, averaged.module.backbone.conv1.weight
    assert torch.isfinite(mean).all() and not torch.equal(own, mean)
    assert torch.nn.functional.cosine_similarity(own.flatten(), mean.flatten(), dim=0) > 0.9


def test_a_resume_with_nothing_to_resume_still_checks_pretrained_files(root, tmp_path):
    torch.save({'state_dict': {'other.weight': torch.zeros(1)}}, tmp_path / 'other.pth')
    cfg = config(root, tmp_path / 'run', **{'model.backbone.init_cfg': {
        'type': 'Pretrained', 'checkpoint': str(tmp_path / 'other.pth'), 'prefix': 'backbone.'}})
    resume_from(cfg, 'auto')
    with pytest.raises(CheckpointError, match='the file has nothing there'):
        build_runner(cfg, splits=('train', 'val'))


@pytest.mark.parametrize('resume', [False, True])
def test_a_checkpoint_named_in_the_config_is_read_safely(root, tmp_path, resume):
    (tmp_path / 'evil.pth').write_bytes(b'cos\nsystem\n(S"true"\ntR.')
    cfg = config(root, tmp_path / 'run', load_from=str(tmp_path / 'evil.pth'), resume=resume)
    with pytest.raises(CheckpointError, match='evil.pth'):
        build_runner(cfg, splits=('train', 'val'))
    assert not (tmp_path / 'run').exists()


def test_random_states_go_out_and_in():
    state = take_random_state()
    first = (random.random(), np.random.rand(), torch.rand(1).item())
    set_random_state(state)
    assert (random.random(), np.random.rand(), torch.rand(1).item()) == first


@pytest.fixture(scope='module')
def run(root, tmp_path_factory):
    work_dir = tmp_path_factory.mktemp('run')
    return train(config(root, work_dir, epochs=2))


def test_the_plan_is_logged_once_and_a_line_an_interval(run):
    text = next(Path(run.work_dir).rglob('*.log')).read_text()
    assert text.count('Local plan: 9 units in 7 local modules') == 1
    assert re.search(r'Parameters: [\d,]+ of the model, [\d,]+ of auxiliary', text)
    lines = re.findall(r'Local losses \(top-1\):  (.*)', text)
    assert len(lines) == 4
    assert all(re.match(r'stem \d+\.\d{4} \(\d+\.\d %\)  layer', line) for line in lines)
    train_lines = [line for line in text.splitlines() if 'Epoch(train)' in line]
    assert train_lines and all('local/loss' not in line for line in train_lines)


def test_every_value_reaches_the_visualizer(run):
    path = next(Path(run.work_dir).rglob('scalars.json'))
    entries = [json.loads(line) for line in path.read_text().splitlines()]
    local = [entry for entry in entries if 'local/loss/stem' in entry]
    assert [entry['step'] for entry in local] == [2, 4, 6, 8]
    model = run.model
    for entry in local:
        assert {f'local/{kind}/{name}' for kind in ('loss', 'accuracy')
                for name in model.local_metrics.names} <= set(entry)
        assert all(0 <= value <= 100 for key, value in entry.items() if 'accuracy' in key)
        assert {'loss', 'lr', 'epoch', 'iter'} <= set(entry)


def test_rows_are_the_hosts_own_and_hold_the_means_since_the_row_before(root, tmp_path):
    """Also where lines and rows have different intervals."""
    hook = {'type': 'auglocal_mm.AuxiliaryHeadHook', 'interval': 1}
    cfg = config(root, tmp_path, epochs=2, **{'default_hooks.logger.interval': 3})
    cfg.custom_hooks = [hook if each['type'] == hook['type'] else each
                        for each in cfg.custom_hooks]
    runner = build_runner(cfg, splits=('train', 'val'))
    seen, step = [], runner.model.train_step

    def keep(*args, **kwargs):
        logs = step(*args, **kwargs)
        seen.append({name: value.item() for name, value in
                     runner.model.local_metrics.losses.items()})
        return logs
    runner.model.train_step = keep
    runner.train()
    assert len(seen) == 8
    entries = [json.loads(line) for line in next(tmp_path.rglob('scalars.json')).open()]
    rows = [entry for entry in entries if 'loss' in entry]
    assert [entry['step'] for entry in rows] == [3, 7]  # of epochs with 4 iterations
    assert all(('local/loss/stem' in entry) == ('loss' in entry) for entry in entries)
    for entry, own in zip(rows, (seen[:3], seen[3:7]), strict=True):
        for name in runner.model.local_metrics.names:
            expected = sum(each[name] for each in own) / len(own)
            assert entry[f'local/loss/{name}'] == pytest.approx(expected, rel=1e-5)
    text = next(tmp_path.rglob('*.log')).read_text()
    assert text.count('Local losses (top-1):') == 8
    assert 'get_log_after_iter' not in vars(runner.log_processor)


def host_tool(host):
    path = Path(import_module(host).__file__).parent / '.mim/tools/analysis_tools/analyze_logs.py'
    if not path.exists():
        pytest.skip(f'{host} was installed without its tools')
    if '\nimport seaborn' in path.read_text():  # mmdet 3.3.0
        pytest.importorskip('seaborn')
    return path


# mmdet's tool knows names by their last part only, and its default style needs seaborn.
@pytest.mark.parametrize(('host', 'words'), [
    ('mmpretrain', ('accuracy/top1', 'loss', 'local/loss/stem', 'local/accuracy/layer1.0')),
    ('mmdet', ('loss', 'lr', '--style', 'default'))])
def test_the_hosts_own_plots_work_on_such_a_run(run, tmp_path, host, words):
    scalars = next(Path(run.work_dir).rglob('scalars.json'))
    run_forked(host_tool(host), 'plot_curve', scalars, '--out', tmp_path / 'curve.png', '--keys',
               *words, folder=tmp_path)
    assert (tmp_path / 'curve.png').stat().st_size > 1000


def test_mmdets_plots_read_every_step(run):
    scalars = next(Path(run.work_dir).rglob('scalars.json'))
    rows = [row for row in map(json.loads, scalars.open()) if 'loss' in row]
    tool = runpy.run_path(str(host_tool('mmdet')))
    logs, = tool['load_json_logs']([str(scalars)])
    for key in ('step', 'loss', 'lr'):
        assert [value for epoch in logs.values() for value in epoch[key]] == [
            row[key] for row in rows]


def test_a_last_batch_of_one_is_refused_before_training(root, tmp_path):
    cfg = config(root, tmp_path, **{
        'model.local.depth': 2, 'train_dataloader.dataset.indices': 25,
        'train_dataloader.drop_last': False})
    with pytest.raises(ValueError, match='the last batch of 25 images would hold 1 image'):
        train(cfg)
    assert not list(tmp_path.glob('*.pth'))


def test_batches_of_one_are_refused_when_the_runner_is_built(root, tmp_path):
    cfg = config(root, tmp_path, **{'model.local.depth': 2, 'train_dataloader.batch_size': 1})
    cfg.custom_hooks = []
    with pytest.raises(ValueError, match=r'batches would hold 1 image \(batch_size=1 per rank\)'):
        build_runner(cfg, splits=('train', 'val'))


def test_the_hook_refuses_a_model_it_cannot_observe(root, tmp_path):
    cfg = config(root, tmp_path, rule='bp')
    cfg.model.type = 'ImageClassifier'
    cfg.model.pop('local'), cfg.pop('model_wrapper_cfg')
    with pytest.raises(TypeError, match='LocalDetector, got ImageClassifier'):
        train(cfg)
