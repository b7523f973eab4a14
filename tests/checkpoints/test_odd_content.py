"""Every field of a checkpoint replaced by something odd: it works, or one line says why not.

The slow test resumes a real run from each file:

    AUGLOCAL_EXAMPLES=1000 make test-slow ARGS="tests/checkpoints/test_odd_content.py"
"""
import copy
import os
import random

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer
from payloads import objects

from auglocal_mm.checkpoints import (
    CheckpointError,
    export_backbone,
    judge_overlap,
    publish_model,
    read_checkpoint,
    require_resumable,
)
from auglocal_mm.engine.launch import bare_model, build_runner, load_for_test, resume_from

EXAMPLES = int(os.environ.get('AUGLOCAL_EXAMPLES', '200'))
ODD = [
    None, True, 0, -1, 10**30, 1.5, float('nan'), float('inf'), '', 'hello', 'a\nb', b'x', [], [1],
    {}, {'a': 1}, {1: 2}, (), (None,), {3}, torch.zeros(0), torch.zeros(2, 2), torch.tensor(True),
    torch.full((3,), float('nan')), np.zeros(3), np.float64(2), np.array(3), HistoryBuffer(),
    torch.Size([1]), torch.float32, slice(1), 'type', '../../x', 'model = 1', '\0', '𝄞' * 400]
GONE = object()


def config(root, work_dir, *, epochs=2, **options):
    cfg = Config.fromfile(root / 'configs/demo/resnet34-slim_digits_auglocal.py')
    cfg.param_scheduler = {'type': 'CosineAnnealingLR', 'T_max': epochs}
    cfg.merge_from_dict({
        'work_dir': str(work_dir), 'experiment_name': f'{work_dir}'.replace('/', '-'),
        'train_cfg.max_epochs': epochs, 'launcher': 'none', 'env_cfg.cudnn_benchmark': False,
        'model.backbone.depth': 18, 'model.backbone.base_channels': 2,
        'model.backbone.stem_channels': 4, 'model.head.in_channels': 16,
        'train_dataloader.dataset.indices': 24, 'train_dataloader.batch_size': 12,
        'val_dataloader': None, 'val_cfg': None, 'val_evaluator': None,
        'train_dataloader.num_workers': 0, 'default_hooks.checkpoint.max_keep_ckpts': -1,
        **options})
    return cfg


@pytest.fixture(scope='module')
def saved(root, tmp_path_factory):
    """A run's last checkpoint, and its model."""
    work_dir = tmp_path_factory.mktemp('odd') / 'run'
    runner = build_runner(config(root, work_dir, epochs=1), splits=('train',))
    runner.train()
    return read_checkpoint(work_dir / 'epoch_1.pth'), bare_model(runner)


def places(node, place=()):
    """Every key of nested containers; of many alike, the first and the last."""
    if isinstance(node, dict):
        keys = list(node)
        for key in keys if len(keys) < 25 else [keys[0], keys[-1]]:
            yield (*place, key)
            yield from places(node[key], (*place, key))
    elif isinstance(node, (list, tuple)) and node:
        yield from places(node[0], (*place, 0))


def changed(content, place, value):
    """A deep enough copy with one value replaced or gone."""
    if not place:
        return value
    key, *rest = place
    copied = list(content) if isinstance(content, tuple) else copy.copy(content)
    if value is GONE and not rest:
        if isinstance(copied, dict):
            del copied[key]
        else:
            copied.pop(key)
    else:
        copied[key] = changed(content[key], rest, value) if rest else value
    return copied


def examples(content, count):
    draw = random.Random(0)
    every = [(place, value) for place in places(content) for value in (*ODD, GONE)]
    return draw.sample(every, min(count, len(every)))


def one_line(place, value, function, *arguments, **settings):
    """Call it; a refusal is one line of ours."""
    try:
        function(*arguments, **settings)
    except (CheckpointError, FileNotFoundError) as error:
        assert '\n' not in str(error), (place, value)
    except Exception as error:
        raise AssertionError(f'{place} = {value!r}: {type(error).__name__}: {error}') from error


def test_odd_content_is_refused_in_a_line_or_used(saved, tmp_path):
    content, model = saved
    file = tmp_path / 'odd.pth'

    def doors():
        publish_model(file, tmp_path / 'out')
        read = read_checkpoint(file)
        judge_overlap(model, read, file)
        require_resumable(model, read, file)

    for place, value in examples(content, 5):
        torch.save(changed(content, place, value), file)
        one_line(place, value, doors)


def test_a_file_that_is_swapped_after_its_check_runs_nothing(saved, root, tmp_path):
    """What mmengine loads is read safely itself; it does not rely on an earlier reading."""
    file, trace = tmp_path / 'swapped.pth', tmp_path / 'trace'
    torch.save(saved[0], file)
    cfg = config(root, tmp_path / 'run')
    resume_from(cfg, str(file))
    runner = build_runner(cfg, splits=('train',))
    torch.save(changed(saved[0], ('optimizer', 'payload'), objects(trace)['mkdir']), file)
    with pytest.raises(CheckpointError, match='without running code'):
        runner.train()
    assert not trace.exists()


@pytest.mark.slow
def test_odd_content_is_exported_or_refused_in_a_line(saved, tmp_path):
    content, _ = saved
    for place, value in examples(content, EXAMPLES):
        torch.save(changed(content, place, value), tmp_path / 'odd.pth')
        one_line(place, value, publish_model, tmp_path / 'odd.pth', tmp_path / 'out')
        one_line(place, value, export_backbone, tmp_path / 'odd.pth', tmp_path / 'out.pth')


@pytest.mark.slow
def test_a_run_resumes_from_odd_content_or_says_why_not(saved, root, tmp_path):
    content, _ = saved
    file = tmp_path / 'odd.pth'
    for number, (place, value) in enumerate(examples(content, EXAMPLES)):
        torch.save(changed(content, place, value), file)

        def resume(number=number):
            cfg = config(root, tmp_path / f'run{number}')
            resume_from(cfg, str(file))
            build_runner(cfg, splits=('train',)).train()

        one_line(place, value, resume)


@pytest.mark.slow
def test_a_test_of_odd_content_works_or_says_why_not(saved, root, tmp_path):
    content, _ = saved
    file = tmp_path / 'odd.pth'
    for number, (place, value) in enumerate(examples(content, EXAMPLES // 10)):
        torch.save(changed(content, place, value), file)
        one_line(place, value, load_for_test, config(root, tmp_path / f'test{number}'), str(file))
