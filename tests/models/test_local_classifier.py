"""The local classifier and its place in the host framework; its gradients: test_gradients.py."""
import copy

import pytest
import torch
from small import CLASSES, auglocal, batch, classifier, in_float64, labels_of

from auglocal_mm import AugLocalOptimWrapper

RESNET18 = {'type': 'ResNet', 'depth': 18, 'stem_channels': 4, 'base_channels': 2}


def test_no_gradient_crosses_a_boundary():
    model = in_float64(classifier(auglocal(2))).train()
    data = batch(dtype=torch.float64)
    steps = list(model.local_steps(data['inputs'], data['data_samples']))
    owned = [model.module_parameters(module) for module in range(model.plan.modules)]
    for step in steps:
        for module, parameters in enumerate(owned):
            reached = torch.autograd.grad(step.losses['loss'], parameters, retain_graph=True,
                                          allow_unused=True)
            assert all((g is not None) == (module == step.module) for g in reached)


def test_every_parameter_belongs_to_one_module():
    model = classifier(auglocal(3, modules=4), backbone=RESNET18)
    owned = [id(p) for module in range(4) for p in model.module_parameters(module)]
    assert sorted(owned) == sorted(map(id, model.parameters()))


def test_a_module_frees_its_graph_before_the_next_one_runs(monkeypatch):
    """Saved tensors alive at each module's backward pass belong to that module alone."""
    model = classifier(auglocal(2)).train()
    alive, peaks, totals = {'now': 0}, [], []

    class Handle:
        def __init__(self, tensor):
            self.tensor = tensor
            alive['now'] += 1

        def __del__(self):
            alive['now'] -= 1

    original = AugLocalOptimWrapper.backward_local

    def watched(self, loss):
        peaks.append(alive['now'])
        original(self, loss)
        totals.append(alive['now'])

    monkeypatch.setattr(AugLocalOptimWrapper, 'backward_local', watched)
    with torch.autograd.graph.saved_tensors_hooks(Handle, lambda handle: handle.tensor):
        model.train_step(batch(), AugLocalOptimWrapper(torch.optim.SGD(model.parameters(), 0.1)))
    assert len(peaks) == model.plan.modules
    assert totals == [0] * len(totals)
    assert min(peaks) > 0 and max(peaks) < 3 * min(peaks)


def test_inference_and_keys_are_the_plain_classifiers():
    local, plain = classifier(auglocal()).eval(), classifier().eval()
    missing, unexpected = plain.load_state_dict(local.state_dict(), strict=False)
    assert not missing and all(key.startswith('auxiliary.') for key in unexpected)
    data = batch()
    assert torch.equal(local(data['inputs']), plain(data['inputs']))
    for a, b in zip(local(**data, mode='predict'), plain(**data, mode='predict'), strict=True):
        assert torch.equal(a.pred_score, b.pred_score)


def test_local_logits_cover_every_depth():
    model = classifier(auglocal(3)).eval()
    images = batch()['inputs']
    logits = dict(model.local_logits(images))
    assert list(logits) == [layer.name for layer in model.plan.layers if layer.auxiliary] + ['head']
    assert torch.equal(logits['head'], model(images))
    assert all(value.shape == (6, CLASSES) for value in logits.values())


def test_a_copied_model_trains_itself_and_not_the_original():
    """EMAHook copies the model before the run."""
    model = classifier(auglocal()).train()
    twin = copy.deepcopy(model)
    before = copy.deepcopy(model.state_dict())
    twin.train_step(batch(), AugLocalOptimWrapper(torch.optim.SGD(twin.parameters(), 0.1)))
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert not torch.equal(twin.backbone.conv1.weight, before['backbone.conv1.weight'])


def test_frozen_stages_stay_frozen_and_the_rest_learns():
    model = classifier(auglocal(3), backbone={**RESNET18, 'frozen_stages': 1}).train()
    before = copy.deepcopy(model.state_dict())
    model.train_step(batch(), AugLocalOptimWrapper(torch.optim.SGD(model.parameters(), 0.1)))
    after = model.state_dict()
    frozen = ('backbone.conv1', 'backbone.bn1', 'backbone.layer1')
    for name, parameter in model.named_parameters():
        assert torch.equal(after[name], before[name]) == name.startswith(frozen), name
        assert parameter.requires_grad != name.startswith(frozen)
    assert not any(key.startswith(('stem', 'layer1')) for key in model.auxiliary)


@pytest.mark.parametrize('head', [
    {'loss': {'type': 'LabelSmoothLoss', 'label_smooth_val': 0.1, 'mode': 'original'}},
    {'loss': {'type': 'CrossEntropyLoss', 'class_weight': [1.0, 2.0, 0.5, 1.0]}},
    {'loss': {'type': 'CrossEntropyLoss', 'loss_weight': 0.3}},
])
def test_auxiliary_networks_learn_by_the_heads_own_loss(head):
    model = classifier(auglocal(), head={
        'type': 'LinearClsHead', 'num_classes': CLASSES, 'in_channels': 16, **head})
    data = batch()
    for step in model.local_steps(data['inputs'], data['data_samples']):
        expected = model.head.loss_module(step.logits, labels_of(data), avg_factor=6)
        torch.testing.assert_close(step.losses['loss'], expected)


def test_mixed_labels_train_and_have_no_accuracy():
    model = classifier(auglocal(), train_cfg={'augments': {'type': 'Mixup', 'alpha': 0.8}},
                       data_preprocessor={'num_classes': CLASSES, 'type': 'ClsDataPreprocessor',
                                          'batch_augments': {
                                              'augments': {'type': 'Mixup', 'alpha': 0.8}}},
                       head={'type': 'LinearClsHead', 'num_classes': CLASSES, 'in_channels': 16,
                             'loss': {'type': 'CrossEntropyLoss', 'use_soft': True}}).train()
    logs = model.train_step(
        batch(), AugLocalOptimWrapper(torch.optim.SGD(model.parameters(), 0.1)))
    assert all(torch.isfinite(value) for value in logs.values())
    assert model.local_metrics.losses and not model.local_metrics.accuracies


def test_metrics_hold_every_module_and_the_log_stays_short():
    model = classifier(auglocal(2)).train()
    logs = model.train_step(
        batch(), AugLocalOptimWrapper(torch.optim.SGD(model.parameters(), 0.1)))
    assert set(logs) == {'loss', 'local_loss'}
    metrics = model.local_metrics
    assert list(metrics.losses) == list(metrics.accuracies) == list(metrics.names)
    assert metrics.names[0] == 'stem' and len(metrics.names) == model.plan.modules
    local = sum(value for name, value in metrics.losses.items() if name != metrics.names[-1])
    torch.testing.assert_close(logs['local_loss'], local)
    assert not any(value.requires_grad for value in (*logs.values(), *metrics.losses.values()))


def test_a_batch_of_one_before_a_batch_norm_is_refused():
    model = classifier(auglocal(2)).train()
    wrapper = AugLocalOptimWrapper(torch.optim.SGD(model.parameters(), 0.1))
    with pytest.raises(ValueError, match='at least 2 images per batch in training, got 1'):
        model.train_step(batch(1), wrapper)


@pytest.mark.parametrize(('local', 'said'), [
    ({'type': 'auglocal_mm.AugLocal', 'dept': 3}, "(?s)unknown key 'dept'; did you mean 'depth'.*"
                                                   "missing key 'depth'"),
    ({'type': 'auglocal_mm.AugLokal', 'depth': 3}, 'choose one of auglocal_mm.AugLocal'),
    ({'depth': 3}, 'type is None'),
    ({'type': 'auglocal_mm.AugLocal', 'depth': 1}, 'at least 2'),
    ({'type': 'auglocal_mm.AugLocal', 'depth': 3, 'modules': 99}, 'at most 10'),
])
def test_impossible_rules_are_refused_when_the_model_is_built(local, said):
    with pytest.raises(ValueError, match=said):
        classifier(local)


@pytest.mark.parametrize('kind', ['ArcFaceClsHead', 'EfficientFormerClsHead'])
def test_a_head_with_a_loss_of_its_own_is_refused(kind):
    head = {'type': kind, 'num_classes': 4, 'in_channels': 16}
    with pytest.raises(TypeError, match='inherits it from ClsHead or MultiLabelClsHead, such as'):
        classifier(auglocal(), head=head)


@pytest.mark.parametrize('local', [
    auglocal(2), auglocal(2, second_loss='reconstruction', lambda1=(5, 1)),
    {'type': 'auglocal_mm.PredSim'}, {'type': 'auglocal_mm.InfoPro'}, {'type': 'auglocal_mm.DGL'},
], ids=str)
def test_initialisation_is_the_papers(local):
    """Auxiliary networks, decoders and similarity's convolutions included."""
    model = classifier(local, backbone={'type': 'auglocal_mm.ResNetCIFAR', 'depth': 32},
                       head={'type': 'LinearClsHead', 'num_classes': CLASSES, 'in_channels': 64,
                             'init_cfg': []})
    model.init_weights()
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Conv2d) and module.weight.numel() > 5000:
            out = module.out_channels * module.kernel_size[0] ** 2
            assert module.weight.std().item() == pytest.approx((2 / out) ** 0.5, rel=0.06), name
        elif isinstance(module, (torch.nn.BatchNorm2d, torch.nn.BatchNorm1d)):
            assert (module.weight == 1).all() and (module.bias == 0).all(), name
        elif isinstance(module, torch.nn.Linear):
            bound = module.in_features ** -0.5
            assert module.weight.abs().max() <= bound and module.weight.std() > bound / 2.5, name


def test_the_driver_is_the_only_one_that_runs_backward():
    """What iterates over local steps decides when to run backward passes."""
    model = classifier(auglocal()).train()
    data = batch()
    for _ in model.local_steps(data['inputs'], data['data_samples']):
        pass
    assert all(parameter.grad is None for parameter in model.parameters())
