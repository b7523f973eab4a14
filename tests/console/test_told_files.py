"""Odd files at every door of every tool: one line, whatever the file is.

The fast suite tries a few in ``test_told.py``; all of them, in two minutes:
``pytest tests/console/test_told_files.py -m slow``.
"""
import json
import os
import zipfile

import pytest
import torch
from tiny_run import take_out_what_is_slow, write_tiny_config
from tool_runs import run_forked

pytestmark = pytest.mark.slow

#: The word that each door's command gets in place of FILE.
DOORS = {
    'train config': ['tools/train.py', 'FILE'],
    'train resume': ['tools/train.py', 'config.py', '--resume', 'FILE'],
    'train load_from': ['tools/train.py', 'config.py', '--cfg-options', 'load_from=FILE'],
    'train pretrained': ['tools/train.py', 'config.py', '--cfg-options',
                         'model.backbone.init_cfg.type=Pretrained',
                         'model.backbone.init_cfg.checkpoint=FILE'],
    'train image folder': ['tools/train.py', 'config.py', '--image-folder', 'FILE'],
    'train work dir': ['tools/train.py', 'config.py', '--work-dir', 'FILE/x/y'],
    'train data': ['tools/train.py', 'config.py', '--cfg-options',
                   'train_dataloader.dataset.classes=FILE'],
    'test config': ['tools/test.py', 'FILE', 'absent.pth'],
    'test checkpoint': ['tools/test.py', 'config.py', 'FILE'],
    'plan': ['tools/analysis_tools/show_plan.py', 'FILE'],
    'complexity': ['tools/analysis_tools/get_complexity.py', 'FILE'],
    'curves': ['tools/analysis_tools/plot_curves.py', 'FILE'],
    'families': ['tools/analysis_tools/detector_families.py', '--compare', 'FILE'],
    'similarity': ['tools/analysis_tools/representation_similarity.py', 'config.py', 'FILE',
                   'config.py', 'FILE'],
    'export': ['tools/model_converters/export_backbone.py', 'FILE', 'out.pth'],
    'publish': ['tools/model_converters/publish_model.py', 'FILE', 'out'],
    'reproduce': ['tools/reproduce.py', 'small', '--dry-run', '--data', 'FILE'],
    'prepare': ['tools/dataset_converters/prepare.py', 'imagenet', '--root', 'FILE'],
}


def hello(path):
    path.write_text('hello\n')


def text_of_a_checkpoint(path):
    path.write_text(json.dumps({'state_dict': None, 'meta': 'hello'}))


def archive(path):
    with zipfile.ZipFile(path, 'w') as file:
        file.writestr('data.pkl', b'hello')


def cut_off(path):
    torch.save({'state_dict': {'a': torch.zeros(100)}}, path)
    path.write_bytes(path.read_bytes()[:400])


def loop(path):
    path.symlink_to(path)


def unreadable(path):
    hello(path)
    path.chmod(0)


FILES = {
    'hello': hello, 'json': text_of_a_checkpoint, 'archive': archive, 'cut off': cut_off,
    'empty': lambda path: path.touch(), 'bytes': lambda path: path.write_bytes(bytes(range(256))),
    'nulls': lambda path: path.write_bytes(bytes(5000)), 'folder': lambda path: path.mkdir(),
    'broken link': lambda path: path.symlink_to('absent'), 'link to itself': loop,
    'unreadable': unreadable, 'absent': lambda path: None,
}
NAMES = ['x.json', 'x' * 300, 'ä ö\n.py', '-x.py']


def judge(words, folder):
    """Run a tool; nothing but 0, 1 or 2 and at most one line of error."""
    for status in (2, 1, 0):
        try:
            said = run_forked(*words, folder=folder, status=status, seconds=60)
            break
        except AssertionError as error:
            said = str(error)
    else:
        pytest.fail(f'{words}: {said}')
    assert 'Traceback' not in said, (words, said)
    errors = [line for line in said.splitlines() if line.startswith('error: ')]
    refused_by_the_parser = status == 2 and said.startswith('usage: ')
    assert len(errors) == (status == 2 and not refused_by_the_parser), (words, said[-1500:])
    return status


@pytest.mark.parametrize('kind', FILES)
def test_an_odd_file_is_one_line_at_every_door(kind, tmp_path, monkeypatch):
    take_out_what_is_slow(monkeypatch)
    write_tiny_config(tmp_path, test_dataloader={
        'batch_size': 2, 'num_workers': 0,
        'dataset': {'type': 'auglocal_mm.Digits', 'split': 'test', 'pipeline': []}},
        test_cfg={}, test_evaluator={'type': 'Accuracy'})
    for door, words in DOORS.items():
        if (kind, door) == ('json', 'families'):
            continue  # JSON is what it reads: the survey would start.
        name = 'odd.py' if 'config' in door or door in ('plan', 'complexity') else 'odd'
        path = tmp_path / name
        if not os.path.lexists(path):
            FILES[kind](path)
        status = judge([word.replace('FILE', name) for word in words], tmp_path)
        assert status or door in ('reproduce', 'prepare', 'train data', 'train work dir',
                                  'families', 'curves'), (kind, door)


@pytest.mark.parametrize('name', NAMES)
def test_an_odd_name_is_one_line_at_every_door(name, tmp_path):
    write_tiny_config(tmp_path)
    for words in DOORS.values():
        judge([word.replace('FILE', name) for word in words], tmp_path)
