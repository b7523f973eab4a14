"""Published files: the plain model's weights, complete, named by their content."""
import hashlib
import os

import pytest
import torch
from mmengine.logging import HistoryBuffer
from small import CLASSES, auglocal, classifier

from auglocal_mm.checkpoints import CheckpointError, publish_model, read_checkpoint

BACKBONE = {'type': 'auglocal_mm.ResNetCIFAR', 'depth': 20, 'stem_channels': 4,
            'base_channels': 4}
CFG = f'''
default_scope = 'mmpretrain'
data_preprocessor = dict(num_classes={CLASSES})
model = dict(
    type='auglocal_mm.LocalImageClassifier',
    local=dict(type='auglocal_mm.AugLocal', depth=3),
    backbone={BACKBONE},
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes={CLASSES}, in_channels=16))
'''
META = {'cfg': CFG, 'epoch': 3, 'iter': 90, 'seed': 0, 'dataset_meta': {'classes': ['a', 'b']}}


@pytest.fixture
def trained(tmp_path):
    """A run's checkpoint with all that a runner and its hooks put in."""
    model = classifier(auglocal(3))
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9)
    history = HistoryBuffer()
    history.update(1.0)
    path = tmp_path / 'epoch_3.pth'
    torch.save({
        'state_dict': model.state_dict(), 'optimizer': optimizer.state_dict(),
        'meta': {**META, 'experiment_name': 'mine', 'time': '2024'}, 'param_schedulers': [],
        'message_hub': {'log_scalars': {'loss': history}}, 'random_states': {'ranks': [1]},
        'ema_state_dict': {'module.head.fc.bias': torch.zeros(CLASSES)}}, path)
    return path


def change(path, **entries):
    """Rewrite a checkpoint with some weights or parts replaced; ``None`` removes."""
    content = torch.load(path, weights_only=False)
    for key, value in entries.items():
        place = content['state_dict'] if '.' in key else content
        place.pop(key)
        if value is not None:
            place[key] = value
    torch.save(content, path)


def test_what_is_published_is_the_plain_classifier(trained, tmp_path):
    path = publish_model(trained, tmp_path / 'out' / 'net')
    assert path.name == f'net-{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}.pth'
    content = torch.load(path, weights_only=True)
    assert content.keys() == {'state_dict', 'meta'} and content['meta'] == META
    plain = classifier(seed=1)
    plain.load_state_dict(content['state_dict'], strict=True)
    own = read_checkpoint(trained)['state_dict']
    assert all(torch.equal(value, own[key]) for key, value in plain.state_dict().items())
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_the_name_depends_on_the_content_alone(trained, tmp_path, monkeypatch):
    first = publish_model(trained, tmp_path / 'net.pth')
    monkeypatch.setattr(os, 'getpid', lambda: 1)
    assert publish_model(trained, tmp_path / 'elsewhere' / 'net').name == first.name
    bias = read_checkpoint(trained)['state_dict']['head.fc.bias']
    change(trained, **{'head.fc.bias': bias + 1})
    assert publish_model(trained, tmp_path / 'net').name != first.name


@pytest.mark.parametrize(('entries', 'said'), [
    ({'backbone.conv1.weight': None}, r'1 entries missing \(backbone\.conv1\.weight\)'),
    ({'head.fc.weight': torch.zeros(1)}, r'1 of another shape \(head\.fc\.weight \(1,\)'),
    ({'meta': None}, 'holds no config, so missing weights cannot be detected'),
    ({'meta': {'cfg': 'optim_wrapper = dict(lr=1)'}}, 'holds no model; give --config'),
    ({'meta': {'cfg': "model = dict(type='Herd')"}}, 'cannot be built here .*custom_imports'),
    ({'meta': {'cfg': "import os\nmodel = os.getcwd()"}}, 'is not a dumped config'),
])
def test_what_cannot_be_shown_whole_is_refused(trained, tmp_path, entries, said):
    change(trained, **entries)
    with pytest.raises(CheckpointError, match=said):
        publish_model(trained, tmp_path / 'out' / 'net')
    assert not (tmp_path / 'out').exists()


def test_a_config_beside_the_checkpoint(trained, tmp_path):
    change(trained, meta=None)
    (tmp_path / 'config.py').write_text(CFG)
    path = publish_model(trained, tmp_path / 'net', config=tmp_path / 'config.py')
    assert read_checkpoint(path)['meta'] == {}
    with pytest.raises(FileNotFoundError, match='no config at'):
        publish_model(trained, tmp_path / 'net', config=tmp_path / 'typo.py')


def test_a_file_that_was_written_wrongly_is_not_published(trained, tmp_path, monkeypatch):
    save = torch.save

    def forgets(content, file):
        content['state_dict'].pop('head.fc.bias')
        save({**content, 'state_dict': dict(content['state_dict'])}, file)
        content['state_dict']['head.fc.bias'] = torch.zeros(CLASSES)

    monkeypatch.setattr(torch, 'save', forgets)
    with pytest.raises(CheckpointError, match=r"differs from its content \(\['head.fc.bias'\]"):
        publish_model(trained, tmp_path / 'out' / 'net')
    assert not list((tmp_path / 'out').iterdir())


def test_a_failed_write_leaves_nothing(trained, tmp_path, monkeypatch):
    def fails(content, file):
        file.write(b'half')
        raise OSError('disk full')

    monkeypatch.setattr(torch, 'save', fails)
    with pytest.raises(CheckpointError, match=r'cannot write .*net: disk full'):
        publish_model(trained, tmp_path / 'out' / 'net')
    assert not list((tmp_path / 'out').iterdir())
