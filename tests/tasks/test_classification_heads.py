"""mmpretrain's features still work under every rule, or are refused when a model is built."""
import copy

import pytest
import torch
from cheap_weights import repeat_rows
from mmengine.registry import MODELS, DefaultScope
from mmpretrain.structures import DataSample
from networks import NETWORKS
from small import CLASSES, KeepGradients, auglocal, batch, classifier, labels_of, network_classifier

from auglocal_mm import AugLocalOptimWrapper

RULES = {
    'AugLocal': auglocal(3),
    'AugLocal + reconstruction': auglocal(3, second_loss='reconstruction', lambda1=(5, 0.5),
                                          lambda2=(0, 1)),
    'AugLocal + similarity': auglocal(2, second_loss='similarity', lambda1=(1, 1)),
    'DGL': {'type': 'auglocal_mm.DGL'},
    'PredSim': {'type': 'auglocal_mm.PredSim'},
    'InfoPro': {'type': 'auglocal_mm.InfoPro'},
    'Backprop': {'type': 'auglocal_mm.Backprop'},
}
CONTRAST = {'type': 'auglocal_mm.InfoPro', 'loss': 'contrast'}
MIX = {'augments': [{'type': 'Mixup', 'alpha': 0.8}, {'type': 'CutMix', 'alpha': 1.0}]}
NORMALISED = {'type': 'ClsDataPreprocessor', 'num_classes': CLASSES,
              'mean': [120.0] * 3, 'std': [60.0] * 3}


def step(model, data):
    """One step: every parameter gets a finite gradient, and all values are finite."""
    optimizer = KeepGradients(model.train())
    logs = model.train_step(data, AugLocalOptimWrapper(optimizer))
    assert all(torch.isfinite(value) for value in logs.values())
    assert set(optimizer.seen[0]) == set(dict(model.named_parameters()))
    assert all(torch.isfinite(gradient).all() for gradient in optimizer.seen[0].values())
    return logs


@pytest.mark.parametrize('rule', RULES)
@pytest.mark.parametrize('loss', [
    {'type': 'LabelSmoothLoss', 'label_smooth_val': 0.1, 'mode': 'original'},
    {'type': 'CrossEntropyLoss', 'class_weight': [1.0, 2.0, 0.5, 1.0]},
    {'type': 'FocalLoss'},
], ids=['label smoothing', 'class weights', 'focal'])
def test_losses_of_the_head(rule, loss):
    data = batch(6)
    if loss['type'] == 'FocalLoss':  # takes one-hot targets
        data['data_samples'] = [sample.set_gt_score(torch.eye(CLASSES)[sample.gt_label[0]])
                                for sample in data['data_samples']]
    step(classifier(RULES[rule], head={
        'type': 'LinearClsHead', 'num_classes': CLASSES, 'in_channels': 16, 'loss': loss}), data)


@pytest.mark.parametrize('rule', RULES)
def test_mixup_and_cutmix(rule):
    model = classifier(RULES[rule], data_preprocessor={**NORMALISED, 'batch_augments': MIX}, head={
        'type': 'LinearClsHead', 'num_classes': CLASSES, 'in_channels': 16,
        'loss': {'type': 'CrossEntropyLoss', 'use_soft': True}})
    for seed in range(3):
        step(model, batch(6, seed=seed))
    assert not model.local_metrics.accuracies


def test_mixed_images_are_what_is_reconstructed():
    """The target is the batch as the network sees it, after Mixup."""
    model = classifier(RULES['InfoPro'], data_preprocessor={**NORMALISED, 'batch_augments': MIX})
    data = model.data_preprocessor(batch(6), True)
    seen = []
    for name, auxiliary in model.auxiliary.items():
        auxiliary.second.register_forward_pre_hook(
            lambda module, inputs, name=name: seen.append(inputs[1]))
    for _ in model.local_steps(data['inputs'], data['data_samples']):
        pass
    assert len(seen) == 9 and all(images is data['inputs'] for images in seen)


@pytest.mark.parametrize('rule', [*RULES, 'InfoPro (contrast)'])
@pytest.mark.parametrize('network', ['CIFAR ResNet-20', 'VisionTransformer', 'Sequential'])
def test_images_of_several_sizes(rule, network):
    local = RULES.get(rule, CONTRAST)
    model = network_classifier(NETWORKS[network], local).train()
    wrapper = AugLocalOptimWrapper(torch.optim.SGD(model.parameters(), 0.01))
    for height, width in ((48, 40), (24, 56)):
        data = batch(4, side=64)
        data['inputs'] = data['inputs'][..., :height, :width]
        logs = model.train_step(data, wrapper)
        assert all(torch.isfinite(value) for value in logs.values())


@pytest.mark.parametrize('rule', RULES)
@pytest.mark.parametrize('head', [
    {'type': 'StackedLinearClsHead', 'mid_channels': [8]},
    {'type': 'VisionTransformerClsHead', 'hidden_dim': 8},
    {'type': 'LinearClsHead', 'cal_acc': True},
], ids=lambda head: head['type'])
def test_heads(rule, head):
    model = classifier(RULES[rule], head={**head, 'num_classes': CLASSES, 'in_channels': 16})
    logs = step(model, batch(6))
    assert ('accuracy_top-1' in logs) == bool(head.get('cal_acc'))


@pytest.mark.parametrize('rule', RULES)
def test_several_labels_an_image(rule):
    model = classifier(RULES[rule], head={
        'type': 'MultiLabelLinearClsHead', 'num_classes': CLASSES, 'in_channels': 16})
    data = batch(4)
    data['data_samples'] = [DataSample().set_gt_label(label)
                            for label in ([0, 2], [1], [], [0, 1, 3])]
    for sample in data['data_samples']:
        sample.gt_label = sample.gt_label.long()
    step(model, data)
    assert not model.local_metrics.accuracies


def test_a_backbone_with_a_classifier_of_its_own(monkeypatch):
    """ImageNet's VGG: the head has no layer, the classes stand in the backbone."""
    repeat_rows(monkeypatch)
    model = classifier(
        {'type': 'auglocal_mm.AugLocal', 'depth': 3, 'tau': 0.0, 'modules': 8, 'head': 'mlp',
         'init': 'pytorch'},
        backbone={'type': 'VGG', 'depth': 11, 'norm_cfg': {'type': 'BN'},
                  'num_classes': CLASSES}, neck=None, head={'type': 'ClsHead'})
    assert (model.num_classes, model.plan.modules) == (CLASSES, 8)
    assert model.plan.layers[0].auxiliary.notation(10) == '512C3-512C3-AP-512FC-512FC-10FC'
    images = torch.randn(2, 3, 224, 224)
    logits = dict(model.eval().local_logits(images))
    assert {value.shape for value in logits.values()} == {(2, CLASSES)}
    assert torch.equal(logits['head'], model(images))


@pytest.mark.parametrize('kind', ['pytorch', 'kaiming'])
def test_initialisation_of_auxiliary_networks(kind):
    model = classifier({'type': 'auglocal_mm.AugLocal', 'depth': 2, 'init': kind},
                       backbone={'type': 'VGG', 'depth': 11, 'norm_cfg': {'type': 'BN'}})
    before = copy.deepcopy(model.auxiliary.state_dict())
    model.init_weights()
    after = model.auxiliary.state_dict()
    same = [torch.equal(before[key], after[key]) for key in before if 'conv.weight' in key]
    assert same and all(same) == (kind == 'pytorch')
    convs = [m for m in model.auxiliary.modules() if isinstance(m, torch.nn.Conv2d)]
    for conv in convs:
        fan_in, fan_out = (9 * channels for channels in (conv.in_channels, conv.out_channels))
        # PyTorch draws uniformly from ±1/√fan_in, section 5 of the appendix normally.
        std = (1 / (3 * fan_in)) ** 0.5 if kind == 'pytorch' else (2 / fan_out) ** 0.5
        assert conv.weight.std().item() == pytest.approx(std, rel=0.03)
        assert (conv.weight.abs().max() <= fan_in ** -0.5) == (kind == 'pytorch')


def test_a_transformers_auxiliary_layers_start_as_its_own():
    model = network_classifier(NETWORKS['VisionTransformer'], auglocal(3))
    model.init_weights()
    own = model.backbone.layers[-1].ffn.layers[1]
    fresh = model.auxiliary['stem'].layers[0].layer.ffn.layers[1]
    assert fresh.bias.abs().max() < 1e-5 and own.bias.abs().max() < 1e-5
    assert not torch.equal(fresh.weight, own.weight)


@pytest.mark.parametrize('kind', ['ArcFaceClsHead', 'EfficientFormerClsHead'])
def test_back_propagation_trains_any_head(kind):
    model = classifier(RULES['Backprop'], head={
        'type': kind, 'num_classes': CLASSES, 'in_channels': 16,
        **({'distillation': False} if kind == 'EfficientFormerClsHead' else {})})
    step(model, batch(4))


@pytest.mark.parametrize('network', [n for n, network in NETWORKS.items() if network.frozen])
@pytest.mark.parametrize('rule', ['AugLocal', 'InfoPro'])
def test_frozen_stages_stay_frozen_and_get_no_auxiliary(network, rule):
    network = NETWORKS[network]
    model = network_classifier(network, RULES[rule], freeze=True).train()
    frozen = [name for name, parameter in model.named_parameters()
              if not parameter.requires_grad]
    before = copy.deepcopy(model.state_dict())
    model.train_step(batch(4, side=32), AugLocalOptimWrapper(
        torch.optim.SGD(model.parameters(), 0.1, weight_decay=0.1)))
    after = model.state_dict()
    assert frozen and all(torch.equal(after[name], before[name]) for name in frozen)
    first = next(i for i, layer in enumerate(model.plan.layers) if layer.auxiliary)
    assert first > 0


def test_a_sequential_backbone_gives_what_its_parts_give():
    model = network_classifier(NETWORKS['Sequential'], auglocal(3)).eval()
    data = batch(4)
    features = model.backbone(data['inputs'])
    expected = model.head.fc(features.mean((2, 3)))
    torch.testing.assert_close(model(data['inputs']), expected)
    assert torch.equal(model.extract_feat(data['inputs'], stage='backbone')[0], features)
    predictions = model(**data, mode='predict')
    assert [int(p.pred_label) for p in predictions] == expected.argmax(1).tolist()


def test_test_time_augmentation():
    model = classifier(RULES['AugLocal']).eval()
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        tta = MODELS.build({'type': 'AverageClsScoreTTA', 'module': model})
    data = batch(3)
    flipped = {'inputs': [list(data['inputs'].flip(-1)), list(data['inputs'])],
               'data_samples': [data['data_samples'], copy.deepcopy(data['data_samples'])]}
    got = tta.test_step({key: list(value) for key, value in flipped.items()})
    scores = (model(data['inputs']).softmax(1) + model(data['inputs'].flip(-1)).softmax(1)) / 2
    torch.testing.assert_close(torch.stack([sample.pred_score for sample in got]), scores)
    assert labels_of(data).tolist() == [int(sample.gt_label) for sample in got]


@pytest.mark.parametrize(('model', 'said'), [
    ({'data_preprocessor': {**NORMALISED, 'batch_augments': MIX}},
     r'needs one label per image.*mixes images.*loss=.softmax.'),
    ({'head': {'type': 'MultiLabelLinearClsHead', 'num_classes': 4, 'in_channels': 16}},
     'MultiLabelLinearClsHead has several'),
])
def test_a_contrastive_loss_refuses_labels_it_cannot_use(model, said):
    with pytest.raises(ValueError, match=said):
        classifier(CONTRAST, **model)


@pytest.mark.parametrize(('network', 'local', 'said'), [
    ('VisionTransformer', auglocal(3, selection='repetitive'), 'downsample=False'),
    ('VisionTransformer', auglocal(3, width=2), 'width=1.0'),
    ('VisionTransformer', auglocal(3, width=0.5), 'width=0.5 does not change a block like'),
    ('Sequential', auglocal(3, width=1.3), 'width=1.3 does not change a block like'),
    ('ConvNeXt', auglocal(3, width=2, selection='repetitive'), 'width=1.0'),
    ('Sequential', auglocal(3, width=2), "width=1.0 or block='conv3x3'"),
])
def test_blocks_that_a_network_cannot_have_are_refused(network, local, said):
    with pytest.raises(ValueError, match=said):
        network_classifier(NETWORKS[network], local)


@pytest.mark.parametrize(('channels', 'mean'), [(1, [120.0]), (3, [120.0]), (3, None), (1, None)])
def test_images_of_one_channel_or_one_mean_are_reconstructed(channels, mean):
    statistics = {} if mean is None else {'mean': mean, 'std': [60.0]}
    backbone = {'type': 'auglocal_mm.ResNetCIFAR', 'depth': 20, 'stem_channels': 4,
                'base_channels': 4, 'in_channels': channels}
    model = classifier(RULES['InfoPro'], backbone=backbone, data_preprocessor={
        'type': 'ClsDataPreprocessor', 'num_classes': CLASSES, **statistics})
    second = model.auxiliary['stem'].second
    assert second.decoder[-1].out_channels == channels
    assert second.mean.flatten().tolist() == (mean or [0.0]) * channels
    data = batch(4)
    step(model, {**data, 'inputs': data['inputs'][:, :channels]})


def test_labels_are_packed_once_and_change_no_loss():
    model = classifier(RULES['DGL']).train()
    data = batch(6)
    steps = list(model.local_steps(data['inputs'], data['data_samples']))
    for step in steps:
        expected = model.head._get_loss(step.logits, data['data_samples'])
        assert torch.equal(step.losses['loss'], expected['loss'])
    targets = model.task.batch(model, data['inputs'], data['data_samples'])
    assert targets.packed_samples[0].gt_label is targets.labels
