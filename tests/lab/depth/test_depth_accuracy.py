"""Accuracy by depth and similarity of made checkpoints on the digits, as the tools find them."""
import json

import pytest
import torch
from mmengine.config import Config

from auglocal_mm.checkpoints import CheckpointError
from auglocal_mm.lab.depth.depth_accuracy import (
    DepthAccuracy,
    DepthStudy,
    by_epoch,
    study_depth,
)
from auglocal_mm.lab.depth.depth_chart import depth_chart
from auglocal_mm.lab.depth.similarity_study import compare_networks
from auglocal_mm.lab.drawing.chart import COLORS
from auglocal_mm.lab.measure.trained_model import build_classifier, images_of


def config(root, rule):
    cfg = Config.fromfile(root / f'configs/demo/resnet34-slim_digits_{rule}.py')
    cfg.merge_from_dict({
        'model.backbone.depth': 18, 'model.backbone.base_channels': 2,
        'model.backbone.stem_channels': 4, 'model.head.in_channels': 16,
        'test_dataloader.dataset.indices': 40})
    return cfg


@pytest.fixture(scope='module')
def trained(root, tmp_path_factory):
    """Return configs and checkpoints of both rules, the backbones' weights equal."""
    folder, made = tmp_path_factory.mktemp('weights'), {}
    for rule in ('auglocal', 'bp'):
        cfg = config(root, rule)
        torch.manual_seed(0)
        model = build_classifier(cfg)
        if rule == 'bp':
            model.load_state_dict(torch.load(made['auglocal'][1])['state_dict'], strict=False)
        path = folder / f'{rule}.pth'
        torch.save({'state_dict': model.state_dict(), 'meta': {'epoch': 3}}, path)
        made[rule] = cfg, path
    return made


@pytest.fixture(scope='module')
def local_study(trained):
    """What was found for one checkpoint twice, and the lines that were said."""
    cfg, path = trained['auglocal']
    said = []
    return study_depth(cfg, [path, path], name='AugLocal', probes=True, limit=60,
                       told=said.append), said


def test_heads_and_probes_of_every_unit(local_study):
    study, said = local_study
    first, second = study.checkpoints
    assert first == second and first.label == 'epoch 3' and said[0].startswith('epoch 3: heads ')
    assert (study.test_images, study.probe_images, len(study.units)) == (40, 60, 9)
    assert tuple(first.probes) == study.units
    assert list(first.heads)[-1] == study.units[-1] and len(first.heads) == 7
    # Features of an untrained network already tell some digits apart.
    assert first.probes[study.units[-1]] > 30 > first.heads[study.units[-1]]
    assert json.loads(json.dumps(study.to_dict()))['checkpoints'][0]['probes'] == first.probes


def test_a_network_by_back_propagation_has_probes_and_only_its_head(trained, local_study):
    cfg, path = trained['bp']
    study = study_depth(cfg, [path], name='BP', probes=True, limit=60, told=lambda line: None)
    assert list(study.checkpoints[0].heads) == [study.units[-1]]
    local, _ = local_study
    assert study.checkpoints[0].probes == local.checkpoints[0].probes  # equal backbones
    assert len(depth_chart(study).figure.axes) == 1 and len(depth_chart(local).figure.axes) == 2
    with pytest.raises(ValueError, match='BP has no auxiliary networks to measure'):
        study_depth(cfg, [path], name='BP')


def test_equal_backbones_are_equal_whatever_trained_them(trained):
    found = compare_networks(trained['auglocal'], trained['bp'], limit=25)
    assert found.images == 25
    assert list(found.diagonal.values()) == pytest.approx([1.0] * 9, abs=1e-6)
    assert 0 < found.values[0][-1] < 1
    with pytest.raises(ValueError, match='at least 2 images, got 1'):
        compare_networks(trained['auglocal'], trained['bp'], limit=1)


def test_missing_weights_are_named(trained, tmp_path):
    cfg, path = trained['auglocal']
    with pytest.raises(CheckpointError, match='entries missing'):
        study_depth(cfg, [trained['bp'][1]], name='AugLocal')
    # The other way auxiliary networks are left out.
    compare_networks((trained['bp'][0], path), (trained['bp'][0], path), limit=4)


def test_training_images_are_seen_without_augmentation(root):
    cfg = config(root, 'auglocal')
    images = [batch['inputs'] for batch in images_of(cfg, 'train', limit=30)]
    again = [batch['inputs'] for batch in images_of(cfg, 'train', limit=30)]
    assert sum(map(len, images)) == 30
    assert all(torch.equal(a, b) for one, two in zip(images, again) for a, b in zip(one, two))
    everything = images_of(cfg, 'train').dataset
    assert len(everything) == 1437
    assert torch.equal(images[-1][-1], everything[1436]['inputs'])


def test_epochs_are_sorted_as_numbers():
    files = [f'work/epoch_{n}.pth' for n in (10, 9, 100, 1)]
    assert by_epoch(files) == [f'work/epoch_{n}.pth' for n in (1, 9, 10, 100)]


def study(checkpoints, *, probes=True, name='AugLocal d = 2'):
    units = tuple(f'layer{i}' for i in range(8))
    return DepthStudy(name, units, tuple(
        DepthAccuracy(f'epoch {i}', dict.fromkeys(units[:3] + units[-1:], 50.0 + i),
                      dict.fromkeys(units, 60.0 + i) if probes else {})
        for i in range(checkpoints)), 360, 1000)


def test_lines_go_from_light_to_dark_and_say_their_epoch():
    chart = depth_chart(study(3))
    heads, probes = chart.figure.axes
    lines = [line for line in probes.lines if len(line.get_xdata()) == 8]
    assert [line.get_ydata()[0] for line in lines] == [60, 61, 62]
    assert lines[1].get_color() == COLORS['auglocal']
    assert list(heads.lines[0].get_xdata()) == [0, 1, 2, 7]
    assert {text.get_text() for text in probes.texts} >= {'epoch 0  60.0', 'epoch 2  62.0'}
    assert '1,000 training images' in probes.get_title(loc='left')
    assert 'epoch 2, linear probes: 62.0 percent at layer0, 62.0 at layer7' in chart.alt


def test_many_checkpoints_are_named_in_part():
    chart = depth_chart(study(30, probes=False, name='BP'))
    axes, = chart.figure.axes
    named = [text.get_text() for text in axes.texts if text.get_text()]
    assert len(named) == 10 and 'epoch 0  50.0' in named and 'epoch 29  79.0' in named


def test_nothing_measured_is_an_error():
    empty = DepthStudy('BP', ('stem',), (DepthAccuracy('epoch 1'),), 10)
    with pytest.raises(ValueError, match='nothing was measured for BP'):
        depth_chart(empty)
