"""Checkpoints: no code in them runs, none is half written, no weight stays random."""
import os
from types import SimpleNamespace

import pytest
import torch
from mmengine.registry import MODEL_WRAPPERS, MODELS, DefaultScope
from small import auglocal, classifier

from auglocal_mm import VerifyPretrainedHook
from auglocal_mm.checkpoints import (
    CheckpointError,
    export_backbone,
    read_checkpoint,
    verify_complete,
    verify_pretrained,
)

BACKBONE = {'type': 'ResNet', 'depth': 18, 'stem_channels': 8, 'base_channels': 8}
CFG = f'''
default_scope = 'mmpretrain'
model = dict(type='auglocal_mm.LocalImageClassifier', backbone={BACKBONE})
'''


@pytest.fixture()
def trained(tmp_path):
    model = classifier(auglocal(2), backbone=BACKBONE,
                       head={'type': 'LinearClsHead', 'num_classes': 4, 'in_channels': 64})
    path = tmp_path / 'trained.pth'
    torch.save({'state_dict': model.state_dict(), 'meta': {'cfg': CFG, 'epoch': 3}}, path)
    return model, path


def pretrained(scope, out, prefix='backbone.', **settings):
    cfg = {**BACKBONE, **settings,
           'init_cfg': {'type': 'Pretrained', 'checkpoint': str(out), 'prefix': prefix}}
    with DefaultScope.overwrite_default_scope(scope):
        return MODELS.build(cfg)


@pytest.mark.parametrize('scope', ['mmpretrain', 'mmdet'])
def test_an_exported_backbone_loads_completely(trained, tmp_path, scope):
    model, path = trained
    out = tmp_path / 'new' / 'backbone.pth'
    assert export_backbone(path, out) == len(model.backbone.state_dict())
    backbone = pretrained(scope, out)
    verify_pretrained(backbone)
    backbone.init_weights()
    own = model.backbone.state_dict()
    got = backbone.state_dict()
    assert own.keys() == got.keys()
    assert all(torch.equal(own[key], got[key]) for key in own)


def test_an_incomplete_backbone_is_not_exported(trained, tmp_path):
    _, path = trained
    content = torch.load(path)
    del content['state_dict']['backbone.layer3.0.conv1.weight']
    content['state_dict']['backbone.conv1.weight'] = torch.zeros(1)
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=r'1 entries missing \(layer3\.0\.conv1\.weight\), '
                       r'1 of another shape \(conv1\.weight \(1,\) for \(8, 3, 7, 7\)\)'):
        export_backbone(path, tmp_path / 'out.pth')
    assert not (tmp_path / 'out.pth').exists()


def test_a_failed_write_leaves_the_old_file(trained, tmp_path, monkeypatch):
    _, path = trained
    out = tmp_path / 'out.pth'
    out.write_bytes(b'old')

    def fails(content, file):
        file.write(b'half')
        raise OSError('disk full')

    monkeypatch.setattr(torch, 'save', fails)
    with pytest.raises(CheckpointError, match=r'cannot write .*out\.pth: disk full'):
        export_backbone(path, out)
    assert out.read_bytes() == b'old'
    assert sorted(p.name for p in tmp_path.iterdir()) == ['out.pth', 'trained.pth']


@pytest.mark.parametrize(('prefix', 'settings', 'said'), [
    ('', {}, r'\(no prefix is set\) does not cover'),
    ('neck.', {}, "under prefix 'neck.' does not cover .*the file has nothing there"),
    ('backbone.', {'depth': 34}, r'entries missing \(layer1\.2\.'),
    ('backbone.', {'num_stages': 3, 'strides': (1, 2, 2), 'dilations': (1, 1, 1),
                   'out_indices': (2,)}, r'not used \(layer4\.0\.'),
    ('backbone.', {'base_channels': 16}, 'of another shape'),
])
def test_a_partial_load_is_an_error_that_names_the_keys(trained, tmp_path, prefix, settings, said):
    out = tmp_path / 'backbone.pth'
    export_backbone(trained[1], out)
    with pytest.raises(CheckpointError, match=said):
        verify_pretrained(pretrained('mmpretrain', out, prefix, **settings))


@pytest.mark.parametrize('wrapped', [False, True])
def test_the_hook_stops_a_training_that_would_start_from_random_weights(trained, tmp_path,
                                                                       wrapped):
    out = tmp_path / 'backbone.pth'
    export_backbone(trained[1], out)

    def start(prefix):
        model = torch.nn.ModuleDict({'backbone': pretrained('mmdet', out, prefix)})
        model = MMDataParallelStandIn(model) if wrapped else model
        VerifyPretrainedHook().before_train(SimpleNamespace(model=model))

    start('backbone.')
    with pytest.raises(CheckpointError, match="under prefix 'neck.' does not cover"):
        start('neck.')


@MODEL_WRAPPERS.register_module()
class MMDataParallelStandIn(torch.nn.Module):
    """Holds a model as wrappers do."""

    def __init__(self, module):
        super().__init__()
        self.module = module


def test_a_checkpoint_without_a_backbone_is_refused(tmp_path):
    torch.save({'state_dict': {'head.fc.weight': torch.zeros(1)}}, tmp_path / 'head.pth')
    with pytest.raises(CheckpointError, match='no entry under "backbone.", only head.fc.weight'):
        export_backbone(tmp_path / 'head.pth', tmp_path / 'out.pth')


def test_testing_needs_every_weight_but_no_auxiliary_network(trained):
    model, path = trained
    content = read_checkpoint(path)
    state = content['state_dict']
    inference = {key: value for key, value in state.items() if not key.startswith('auxiliary.')}
    verify_complete(model, {'state_dict': inference}, path)
    del inference['head.fc.bias']
    with pytest.raises(CheckpointError, match=r'missing \(head\.fc\.bias\)'):
        verify_complete(model, {'state_dict': inference}, path)


class Payload:
    """Would create a file if it were unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_code_in_a_checkpoint_is_not_run(tmp_path):
    torch.save({'state_dict': Payload(tmp_path / 'ran')}, tmp_path / 'evil.pth')
    with pytest.raises(CheckpointError, match='without running code from it'):
        read_checkpoint(tmp_path / 'evil.pth')
    assert not (tmp_path / 'ran').exists()


class Borrowed:
    """Asks for an attribute other than the log history's own methods."""

    def __reduce__(self):
        return getattr, (dict, 'fromkeys')


@pytest.mark.parametrize('key', ['cfg', 'config'])
def test_a_config_in_a_checkpoint_is_not_run(tmp_path, key):
    ran = tmp_path / 'ran'
    torch.save({'state_dict': {'backbone.conv1.weight': torch.zeros(1)},
                'meta': {key: f'import os\nos.mkdir({str(ran)!r})\nmodel=dict(backbone=dict())'}},
               tmp_path / 'evil.pth')
    with pytest.raises(CheckpointError, match='is not a dumped config'):
        export_backbone(tmp_path / 'evil.pth', tmp_path / 'out.pth')
    assert not ran.exists()


def test_a_checkpoint_elsewhere_must_be_downloaded_first():
    with pytest.raises(CheckpointError, match='https://example.org/a.pth .*download it first'):
        read_checkpoint('https://example.org/a.pth')


def test_a_plain_classifiers_weights_start_a_local_one(tmp_path):
    torch.save({'state_dict': classifier().state_dict()}, tmp_path / 'plain.pth')
    verify_pretrained(classifier(auglocal(2), pretrained=str(tmp_path / 'plain.pth')))


def test_getattr_reaches_nothing_but_the_log_history(tmp_path):
    torch.save({'state_dict': Borrowed()}, tmp_path / 'evil.pth')
    with pytest.raises(CheckpointError, match='without running code from it'):
        read_checkpoint(tmp_path / 'evil.pth')


@pytest.mark.parametrize('content', [b'', b'not a checkpoint', b'PK\x03\x04' + b'0' * 50])
def test_damaged_files_are_refused(tmp_path, content):
    (tmp_path / 'damaged.pth').write_bytes(content)
    with pytest.raises(CheckpointError, match=r'damaged\.pth'):
        read_checkpoint(tmp_path / 'damaged.pth')


def test_a_truncated_checkpoint_is_refused(trained, tmp_path):
    content = trained[1].read_bytes()
    (tmp_path / 'cut.pth').write_bytes(content[:len(content) // 2])
    with pytest.raises(CheckpointError, match=r'cut\.pth'):
        read_checkpoint(tmp_path / 'cut.pth')


def test_a_missing_file_names_its_neighbours(trained):
    with pytest.raises(CheckpointError, match=r'no checkpoint at .*present: trained\.pth'):
        read_checkpoint(trained[1].with_name('typo.pth'))


def test_a_bare_state_dict_is_read(tmp_path):
    torch.save({'backbone.weight': torch.ones(1)}, tmp_path / 'bare.pth')
    assert read_checkpoint(tmp_path / 'bare.pth')['state_dict']['backbone.weight'] == 1
