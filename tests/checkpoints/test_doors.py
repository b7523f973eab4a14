"""Payloads through every tool that opens a checkpoint, as a user would start it.

    make test-slow ARGS="tests/checkpoints/test_doors.py"
"""
import shutil

import pytest
import torch
from payloads import content, crafted, objects
from tool_runs import ROOT, run_forked

CONFIG = ROOT / 'configs/demo/resnet34-slim_digits_auglocal.py'
DETECTOR = ROOT / 'configs/demo/mask-rcnn_digit-scenes_bp.py'
TINY = ('model.backbone.depth=18', 'model.backbone.base_channels=2',
        'model.backbone.stem_channels=4', 'model.head.in_channels=16',
        'train_dataloader.dataset.indices=24', 'train_dataloader.batch_size=12',
        'train_dataloader.num_workers=0', 'val_dataloader.num_workers=0',
        'test_dataloader.num_workers=0', 'train_cfg.max_epochs=1')


def train(*more, options=()):
    return ('tools/train.py', CONFIG, '--work-dir', 'run', *more, '--cfg-options', *TINY, *options)


def pretrained(key, **settings):
    pairs = {'type': 'Pretrained', 'checkpoint': 'evil.pth', **settings}
    return [f'{key}.{name}={value}' for name, value in pairs.items()]


DOORS = {
    'resume': train('--resume', 'evil.pth'),
    'load_from': train(options=['load_from=evil.pth']),
    'resume in the config': train(options=['load_from=evil.pth', 'resume=True']),
    'auto': train('--resume'),
    'pretrained': train(options=['model.pretrained=evil.pth']),
    'pretrained and resume': train('--resume', options=['model.pretrained=evil.pth']),
    'init_cfg': train(options=pretrained('model.backbone.init_cfg')),
    'init_cfg with scope': train(options=pretrained(
        'model.backbone.init_cfg', type='mmengine.Pretrained', prefix='backbone.')),
    'init_cfg by path': train(options=pretrained(
        'model.init_cfg', type='mmengine.model.weight_init.PretrainedInit')),
    'scheme': train(options=pretrained('model.init_cfg', checkpoint='scheme://evil.pth')),
    'test': ('tools/test.py', CONFIG, 'evil.pth', '--cfg-options', *TINY),
    'export': ('tools/model_converters/export_backbone.py', 'evil.pth', 'out.pth'),
    'publish': ('tools/model_converters/publish_model.py', 'evil.pth', 'out'),
    'depth': ('tools/analysis_tools/accuracy_by_depth.py', CONFIG, 'evil.pth'),
    'similarity': ('tools/analysis_tools/representation_similarity.py',
                   CONFIG, 'evil.pth', CONFIG, 'evil.pth'),
    'detector': ('tools/train.py', DETECTOR, '--work-dir', 'run', '--cfg-options',
                 *pretrained('model.backbone.init_cfg')),
    'detector by class path': (
        'tools/train.py', DETECTOR, '--work-dir', 'run', '--cfg-options', *pretrained(
            'model.backbone.init_cfg', type='mmengine.model.PretrainedInit', prefix='x')),
    'detector test': ('tools/test.py', DETECTOR, 'evil.pth'),
}
STYLES = ('mkdir', 'getattr', 'dtype with state', 'object array')
WHERE = ('state_dict', 'optimizer', 'message_hub', 'meta', 'random_states')


def files(folder):
    """Named ways to write evil.pth, each with a folder that must not appear."""
    trace = folder / 'trace'
    made = objects(trace)
    for number, style in enumerate(STYLES):
        evil = content(WHERE[number % len(WHERE)], made[style])
        yield style, trace, lambda path, evil=evil: torch.save(evil, path)
    for style in ('global posix.system', 'plain pickle'):
        file = crafted(trace)[style]
        yield style, trace, lambda path, file=file: path.write_bytes(file)
    for key, text in (('cfg', f'import os\nos.mkdir({str(trace)!r})'),
                      ('config', f'a = open({str(trace)!r}, "w")')):
        evil = content('meta', None)
        evil['meta'] |= {key: text}
        yield f'text in {key}', trace, lambda path, evil=evil: torch.save(evil, path)


@pytest.mark.slow
@pytest.mark.parametrize('door', DOORS)
def test_nothing_in_a_checkpoint_runs(tmp_path, door):
    (tmp_path / 'scheme:').mkdir()
    for style, trace, write in files(tmp_path):
        write(tmp_path / 'evil.pth')
        shutil.copy(tmp_path / 'evil.pth', tmp_path / 'scheme:' / 'evil.pth')
        (tmp_path / 'run').mkdir(exist_ok=True)
        if door == 'auto':
            shutil.copy(tmp_path / 'evil.pth', tmp_path / 'run' / 'epoch_1.pth')
            (tmp_path / 'run' / 'last_checkpoint').write_text('epoch_1.pth')
        said = run_forked(*DOORS[door], folder=tmp_path, status=2)
        assert not trace.exists(), (door, style)
        last = said.strip().splitlines()[-1]
        assert last.startswith('error: ') and 'Traceback' not in said, (door, style, said)


def test_a_prepared_work_dir_runs_nothing(tmp_path):
    """One door in the fast suite: a plain --resume, with a file waiting for it."""
    trace = tmp_path / 'trace'
    (tmp_path / 'run').mkdir()
    torch.save(content('optimizer', objects(trace)['mkdir']), tmp_path / 'run' / 'epoch_1.pth')
    (tmp_path / 'run' / 'last_checkpoint').write_text('epoch_1.pth')
    said = run_forked(*train('--resume'), folder=tmp_path, status=2)
    assert said.startswith('error: none of the 1 checkpoints') and said.count('\n') == 1
    assert not trace.exists()
