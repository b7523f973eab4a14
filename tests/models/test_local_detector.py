"""A detector of mmdet's that is trained locally: gradients, memory, keys, inference, refusals."""
import copy
import math
import pickle

import pytest
import torch
from detectors import CHANNELS, CLASSES, DETECTORS, build, detector_cfg, images
from mmengine.registry import DefaultScope
from small import KeepGradients, auglocal, gradients

from auglocal_mm import AugLocalOptimWrapper
from auglocal_mm.execution import Listener, Order
from auglocal_mm.lab.measure.memory import SavedActivations

LOSSES = ['detection', 'segmentation', 'image_level', 'reconstruction',
          [dict(type='detection', weight=(2.0, 0.5)), dict(type='reconstruction', weight=3.0)]]
FAST = ('Mask R-CNN', 'FCOS')


def families(fast=FAST):
    return [name if name in fast else pytest.param(name, marks=pytest.mark.slow)
            for name in DETECTORS]


@pytest.fixture(autouse=True)
def _scope():
    with DefaultScope.overwrite_default_scope('mmdet'):
        yield


def local_step(model, data, **settings):
    """One immediate training step; the gradients that it gives to the optimizer."""
    optimizer = KeepGradients(model)
    torch.manual_seed(5)  # RoI heads sample
    model.train_step(data, AugLocalOptimWrapper(optimizer, **settings))
    return optimizer.seen[0]


def walk(backbone):
    """The units of mmdet's ResNet by hand, each with the stage that it ends, if it ends one."""
    def stem(x):
        return backbone.maxpool(backbone.relu(backbone.norm1(backbone.conv1(x))))
    units = [('stem', stem, None)]
    for stage, layer in enumerate(backbone.res_layers):
        blocks = list(getattr(backbone, layer))
        for number, block in enumerate(blocks):
            ends = number == len(blocks) - 1 and stage in backbone.out_indices
            units.append((f'{layer}.{number}', block, stage if ends else None))
    return units


def oracle(model, data):
    """Gradients of every module trained alone, from activations that were recorded before.

    Local losses are those of the model's own auxiliary networks; the detector's is what its
    plain class computes when `extract_feat` returns the neck's output of recorded maps.
    """
    from mmdet.models.detectors.base import BaseDetector

    twin = copy.deepcopy(model)
    data = twin.data_preprocessor(copy.deepcopy(data), True)
    units = walk(twin.backbone)
    recorded, probe = [data['inputs']], copy.deepcopy(twin.backbone)
    with torch.no_grad():
        for _, unit, _ in walk(probe):
            recorded.append(unit(recorded[-1]))
    batch = twin.task.batch(twin, data['inputs'], data['data_samples'])
    for span in twin.plan.spans:
        x = recorded[span.start].clone()
        maps = {stage: recorded[index + 1].clone() for index, (_, _, stage) in enumerate(units)
                if stage is not None and index < span.start}
        for index in range(span.start, span.stop):
            x = units[index][1](x)
            if units[index][2] is not None:
                maps[units[index][2]] = x
        total = torch.zeros(())
        for loss in span.losses:
            auxiliary = twin.auxiliary[loss.key]
            own = twin.task.local_losses[auxiliary.plan.head.loss]
            parts = own.losses(auxiliary.layers[-1], auxiliary(x), batch)
            total = total + auxiliary.plan.weight * twin.parse_losses(parts)[0]
        if span is twin.plan.spans[-1]:
            outputs = tuple(maps[stage] for stage in sorted(maps))
            twin.extract_feat = lambda inputs, outputs=outputs: (
                twin.neck(outputs) if twin.with_neck else outputs)
            torch.manual_seed(5)
            plain = next(cls for cls in type(twin).__mro__ if cls.__module__.startswith('mmdet'))
            assert issubclass(plain, BaseDetector)
            losses = plain.loss(twin, data['inputs'], data['data_samples'])
            total = total + twin.parse_losses(losses)[0]
        total.backward()
    return gradients(twin)


def assert_same(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert torch.equal(ours[name], theirs[name]), name


@pytest.mark.parametrize('name', families())
def test_gradients_are_those_of_modules_trained_alone(name):
    model = build(detector_cfg(name), local=auglocal(3, modules=3))
    data = images()
    expected = oracle(model, data)
    assert any(key.startswith('backbone.layer1') for key in expected)
    assert_same(local_step(model, data), expected)


@pytest.mark.parametrize('loss', LOSSES, ids=lambda loss: loss if isinstance(loss, str) else 'two')
@pytest.mark.parametrize('modules', [*(pytest.param(number, marks=pytest.mark.slow)
                                       for number in (2, 4)), 'stages'])
def test_gradients_of_every_local_loss(loss, modules):
    model = build(detector_cfg(), local=auglocal(3, modules=modules), local_loss=loss)
    data = images(crowds=True)
    assert_same(local_step(model, data), oracle(model, data))


@pytest.mark.parametrize('recompute', [True, ['last'], ['modules', 'auxiliary']], ids=str)
def test_recomputing_changes_neither_gradients_nor_statistics(recompute):
    cfg, data = detector_cfg(), images()
    plain = build(cfg, local=auglocal(3, modules=3))
    model = build(cfg, local=auglocal(3, modules=3), recompute=recompute)
    model.load_state_dict(plain.state_dict())
    assert_same(local_step(model, data), local_step(plain, data))
    for name, value in plain.state_dict().items():
        assert torch.equal(model.state_dict()[name], value), name
    assert not any('forward' in vars(part) for part in model.modules())


def test_joint_losses_have_the_same_gradients():
    model = build(detector_cfg(), local=auglocal(3, modules=3))
    data = images()
    expected = local_step(copy.deepcopy(model), data)
    ready = model.data_preprocessor(data, True)
    torch.manual_seed(5)
    losses = model(**ready, mode='loss')
    assert {'loss_rpn_cls', 'loss_bbox', 'loss_mask', 'local_loss'} <= losses.keys()
    model.parse_losses(losses)[0].backward()
    ours = gradients(model)
    for name in expected:
        torch.testing.assert_close(ours[name], expected[name], rtol=1e-4, atol=1e-6, msg=name)


def test_one_module_is_the_plain_detector_bit_for_bit():
    cfg, data = detector_cfg(), images()
    plain, model = build(cfg), build(cfg, local=dict(type='auglocal_mm.Backprop'))
    assert plain.state_dict().keys() == model.state_dict().keys()
    model.load_state_dict(plain.state_dict())
    assert_same(local_step(model, data), local_step(plain, data))


class Watch(Listener):
    """What autograd still keeps after each module's backward pass."""

    order = Order.RECORD

    def __init__(self, counter):
        self.counter, self.kept = counter, []

    def after_module(self, event):
        self.kept.append(self.counter.live_bytes)


def test_no_graph_outlives_its_module_although_the_neck_reads_all_outputs():
    model = build(detector_cfg(), local=auglocal(3, modules='stages'))
    counter = SavedActivations([*model.parameters(), *model.buffers()])
    watch = Watch(counter)
    model.listeners.add(watch)
    with counter:
        local_step(model, images())
    assert len(watch.kept) == 4 and set(watch.kept) == {0} and counter.peak_bytes > 0


def test_the_backbones_own_checkpointing_changes_no_gradient():
    plain, model = (build(detector_cfg(with_cp=each), local=auglocal(3, modules='stages'))
                    for each in (False, True))
    model.load_state_dict(plain.state_dict())
    data = images()
    assert_same(local_step(model, data), local_step(plain, data))


def test_keys_are_the_plain_detectors_and_inference_is_equal():
    cfg = detector_cfg()
    plain, model = build(cfg, seed=1), build(cfg, local=auglocal(2, modules=2))
    extra = model.state_dict().keys() - plain.state_dict().keys()
    assert plain.state_dict().keys() <= model.state_dict().keys()
    assert extra and all(key.startswith('auxiliary.') for key in extra)
    plain.load_state_dict({key: value for key, value in model.state_dict().items()
                           if key not in extra})
    results = []
    for each in (plain.eval(), model.eval()):
        with torch.no_grad():
            results.append(each.test_step(images()))
    for ours, theirs in zip(*results, strict=True):
        assert torch.equal(ours.pred_instances.bboxes, theirs.pred_instances.bboxes)
        assert torch.equal(ours.pred_instances.scores, theirs.pred_instances.scores)


def test_it_is_a_detector_that_can_be_copied_and_pickled():
    from mmdet.models import MaskRCNN

    from auglocal_mm import LocalDetector

    model = build(detector_cfg(), local=auglocal(3, modules=2))
    data = images()
    assert isinstance(model, LocalDetector) and isinstance(model, MaskRCNN)
    expected = local_step(copy.deepcopy(model), data)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert type(twin) is type(model)
        assert_same(local_step(twin, data), expected)


def test_the_whole_config_may_stand_inside():
    cfg = detector_cfg()
    flat = build(cfg, local=auglocal(3, modules=2))
    nested = build({'type': 'auglocal_mm.LocalDetector', 'detector': cfg,
                    'local': auglocal(3, modules=2)})
    assert type(flat) is type(nested)
    for name, value in flat.state_dict().items():
        assert torch.equal(value, nested.state_dict()[name]), name
    outer = dict(cfg['data_preprocessor'], mean=[0.0, 0.0, 0.0])
    runners = build({'type': 'auglocal_mm.LocalDetector', 'detector': cfg,
                     'local': auglocal(3, modules=2), 'data_preprocessor': outer})
    assert torch.equal(runners.data_preprocessor.mean, flat.data_preprocessor.mean)
    with pytest.raises(ValueError, match='model.neck is given beside model.detector and inside'):
        build({'type': 'auglocal_mm.LocalDetector', 'detector': cfg, 'neck': cfg['neck'],
               'local': auglocal(3, modules=2)})


def test_frozen_stages_have_no_networks_and_stay_as_they_are():
    model = build(detector_cfg(frozen_stages=2, norm_eval=True),
                  local=auglocal(3, modules='stages'))
    assert {loss.unit for loss in model.plan.losses} == {6}  # layer3's last; the rest is frozen
    model.train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    seen = local_step(model, images())
    assert not any(key.startswith(('backbone.layer1', 'backbone.conv1')) for key in seen)
    for key, value in model.state_dict().items():
        if key.startswith('backbone'):
            assert torch.equal(value, before[key]), key


def test_a_backbone_that_is_frozen_but_for_its_end_says_so(monkeypatch):
    said = []
    monkeypatch.setattr('auglocal_mm.models.local_training.print_log',
                        lambda text, **_: said.append(text))
    build(detector_cfg(frozen_stages=3), local=auglocal(3, modules='stages'))
    assert ['nothing is trained by local losses' in text for text in said] == [True]


def test_networks_keep_a_map_of_8_pixels_and_at_most_256_channels():
    model = build(detector_cfg(), local=auglocal(3, modules='stages'), local_loss='detection')
    drawn = [str(loss.auxiliary) for loss in model.plan.losses]
    assert drawn == ['16R-32R-detection@8', '16R-32R-detection@8', '32R-32R-detection@16']
    strides = [loss.auxiliary.strides for loss in model.plan.losses]
    assert strides == [(2, 1), (1, 1), (1, 1)]


def test_auxiliary_norms_are_groups_and_can_be_the_backbones():
    def kinds(**settings):
        model = build(detector_cfg(), local=auglocal(3, modules=2), **settings)
        return {type(part).__name__ for part in model.auxiliary.modules() if 'Norm' in
                type(part).__name__}
    assert kinds() == {'GroupNorm'}
    assert kinds(auxiliary_norm='backbone') == {'BatchNorm2d'}


def test_a_loss_of_the_rule_itself_comes_beside_those_of_the_task():
    rule = auglocal(3, modules=2, second_loss='reconstruction', lambda1=(2, 2), lambda2=(3, 3))
    model = build(detector_cfg(), local=rule, local_loss=[dict(type='image_level', weight=2.0),
                                                          'reconstruction'])
    first, second = model.plan.losses
    # The losses' own weights take the place of the rule's λ2.
    assert (first.auxiliary.weight, second.auxiliary.weight) == (2.0, 1.0)
    assert first.auxiliary.second.weight == 2 and second.auxiliary.second is None


@pytest.mark.parametrize(('cfg', 'settings', 'error', 'said'), [
    ({}, dict(local_loss='boxes'), ValueError, "must name a local loss, got 'boxes'"),
    ({}, dict(local_loss=dict(type='detection', conv=1)), ValueError, "did you mean 'convs'"),
    ({}, dict(local_loss=dict(type='detection', weight=-1)), ValueError, 'weight must be a number'),
    ({}, dict(local_loss=['detection', 'detection']), ValueError, 'each once'),
    ({}, dict(local_loss=3), TypeError, 'must be a name, a dict with a type'),
    ({}, dict(recompute='heads'), ValueError, 'model: recompute must be True, False or a list'),
    ({}, dict(local=None), ValueError, 'model.local is missing'),
    ({}, dict(local_losses='detection'), ValueError, "no setting 'local_losses'; did you mean"),
    ({}, dict(backbone=None), TypeError, 'has no backbone of its own'),
    ({}, dict(local=auglocal(3, modules=['layer4.1'])), ValueError, "the last unit, 'layer4.1'"),
    ({}, dict(local=dict(type='auglocal_mm.InfoPro', loss='contrast', modules=2)), ValueError,
     "use loss='softmax'"),
    ({}, dict(auxiliary_norm='batch'), ValueError, 'auxiliary_norm must be one of'),
    ({}, dict(detector='MaskRCN'), TypeError, "must be the type of a detector of mmdet.*'MaskRCN'"),
    ({}, dict(detector='ResNet'), TypeError, 'must be the type of a detector'),
    ({}, dict(local=auglocal(3, modules=['layer9.1'])), ValueError, "got 'layer9.1'; the units"),
    ({}, dict(local=auglocal(3, modules=2, bogus=1)), ValueError, 'unknown key'),
    ({'neck': {'in_channels': CHANNELS[1:]}}, {}, ValueError, 'reads 3 feature maps, but'),
    ({'backbone': {'type': 'HRNet'}}, {}, TypeError, 'does not know how to cut HRNet'),
    ({'roi_head': {'mask_head': {'num_classes': CLASSES + 1}}}, {}, ValueError,
     'state different numbers of classes'),
], ids=str)
def test_what_cannot_be_is_refused_when_the_model_is_built(cfg, settings, error, said):
    whole = detector_cfg()
    hrnet = cfg.get('backbone')
    for key, more in cfg.items():
        _merge(whole[key], more)
    if hrnet:
        whole['backbone'] = dict(type='HRNet', extra={
            f'stage{n}': dict(num_modules=1, num_branches=n, block='BASIC' if n > 1 else
                              'BOTTLENECK', num_blocks=(1,) * n,
                              num_channels=tuple(4 << i for i in range(n))) for n in range(1, 5)})
    with pytest.raises(error, match=said):
        build(whole, **{'local': auglocal(3, modules=2), **settings})


def _merge(old, new):
    for key, value in new.items():
        if isinstance(value, dict) and isinstance(old.get(key), dict):
            _merge(old[key], value)
        else:
            old[key] = value


def test_wrappers_without_a_backbone_of_their_own_are_refused():
    with pytest.raises(TypeError, match='SoftTeacher has no backbone of its own'):
        build({'type': 'auglocal_mm.LocalDetector', 'detector': {'type': 'SoftTeacher'},
               'local': auglocal(3, modules=2)})


def test_a_detector_that_calls_its_backbone_twice_is_refused():
    from mmdet.models import RetinaNet

    class Twice(RetinaNet):
        def extract_feat(self, batch_inputs):
            self.backbone(batch_inputs)
            return super().extract_feat(batch_inputs)

    class Inner(RetinaNet):
        def extract_feat(self, batch_inputs):
            self.backbone.layer1(batch_inputs)
            return super().extract_feat(batch_inputs)

    class Branches(RetinaNet):
        def loss(self, batch_inputs, batch_data_samples):
            both = self.extract_feat(batch_inputs), self.extract_feat(batch_inputs.flip(3))
            return self.bbox_head.loss(both[0], batch_data_samples)

    class Hidden(RetinaNet):
        def loss(self, batch_inputs, batch_data_samples):
            for _ in range(2):
                x = self.extract_feat(batch_inputs)
            return self.bbox_head.loss(x, batch_data_samples)

    class HiddenInner(RetinaNet):
        def extract_feat(self, batch_inputs):
            return getattr(self, 'backbone').conv1(batch_inputs)  # noqa: B009

    def made(kind):
        return build({**detector_cfg('RetinaNet'), 'type': kind}, local=auglocal(3, modules=2))

    # Twice: its base's function calls the backbone once more, which only a step can show.
    for kind, said in ((Inner, r'extract_feat\(\) reads self.backbone.layer1'),
                       (Branches, r'loss\(\) calls self.extract_feat twice')):
        with pytest.raises(TypeError, match=said):
            made(kind)
    for kind, said in ((Twice, 'twice'), (Hidden, 'twice'),
                       (HiddenInner, "reads 'conv1' of its backbone")):
        with pytest.raises(TypeError, match=said):
            local_step(made(kind), images())


def test_masks_that_are_asked_for_must_be_there():
    loss = dict(type='segmentation', source='masks')
    model = build(detector_cfg('FCOS'), local=auglocal(3, modules=2), local_loss=loss)
    with pytest.raises(ValueError, match=r'needs gt_instances.masks.*with_mask=True'):
        local_step(model, images(masks=False))


def test_modules_are_clipped_by_their_own_norms():
    model = build(detector_cfg(), local=auglocal(3, modules=3))
    data = images()
    free = local_step(copy.deepcopy(model), data)
    clipped = local_step(model, data, clip_grad=dict(max_norm=0.5, per_module=True))
    for module in range(model.plan.modules):
        names = [name for name, parameter in model.named_parameters()
                 if any(parameter is each for each in model.module_parameters(module))
                 and name in free]
        norm = torch.stack([free[name].norm() for name in names]).norm()
        assert norm > 0.5
        for name in names:
            torch.testing.assert_close(clipped[name], free[name] * 0.5 / norm)




@pytest.mark.parametrize('init', ['kaiming', 'pytorch'])
def test_heads_of_local_losses_begin_as_mmdets_do(init):
    model = build(detector_cfg(), local=auglocal(3, modules=2, init=init), local_loss='detection')
    model.init_weights()
    head = next(iter(model.auxiliary.values())).head.dense
    # The prior of focal loss: 1 % of all positions show an object.
    bias = head.conv_cls.bias
    torch.testing.assert_close(bias, torch.full_like(bias, -math.log(99)))
    assert 0.005 < head.conv_cls.weight.std() < 0.02


def saved_mb(recompute, **backbone):
    model = build(detector_cfg(**backbone), local=auglocal(3, modules=2), recompute=recompute)
    counter = SavedActivations([*model.parameters(), *model.buffers()])
    peaks = []

    class Peaks(Watch):
        def after_module(self, event):
            peaks.append(counter.peak_bytes)
            counter.peak_bytes = 0

    model.listeners.add(Peaks(counter))
    with counter:
        local_step(model, images(side=128))
    return peaks


def test_recomputing_keeps_less_of_what_it_names():
    early, last = saved_mb(False)
    same, fewer = saved_mb(['last'])
    assert same == early and fewer < 0.8 * last
    fewer, same = saved_mb(['auxiliary'])
    assert fewer < 0.8 * early and same == last
    assert saved_mb(['modules'])[0] < 0.9 * early


@pytest.mark.parametrize('name', ['DETR', *(pytest.param(name, marks=pytest.mark.slow) for name in (
    'Cascade Mask R-CNN', 'Deformable DETR'))])
def test_any_detectors_heads_can_be_recomputed(name):
    cfg, data = detector_cfg(name), images()
    plain = build(cfg, local=auglocal(3, modules=2))
    model = build(cfg, local=auglocal(3, modules=2), recompute=True)
    model.load_state_dict(plain.state_dict())
    assert_same(local_step(model, data), local_step(plain, data))


def test_norms_of_a_neck_count_a_batch_once_although_it_is_recomputed():
    cfg, data = detector_cfg(), images()
    cfg['neck']['norm_cfg'] = {'type': 'BN'}
    plain = build(cfg, local=auglocal(3, modules=2))
    model = build(cfg, local=auglocal(3, modules=2), recompute=['last'])
    model.load_state_dict(plain.state_dict())
    assert_same(local_step(model, data), local_step(plain, data))
    for name, value in plain.state_dict().items():
        assert torch.equal(model.state_dict()[name], value), name


def test_tokens_are_recomputed_tensor_by_tensor(monkeypatch):
    """Elsewhere torch would not save the random state of their device."""
    from auglocal_mm.auxiliary import recompute, recomputed
    from auglocal_mm.partition import Tokens

    seen = []
    original = recompute.checkpoint
    monkeypatch.setattr(recompute, 'checkpoint', lambda run, *inputs, **settings: (
        seen.extend(inputs), original(run, *inputs, **settings))[1])
    tokens = Tokens(torch.randn(1, 4, 3, requires_grad=True), (2, 2), 0)
    result = recomputed(lambda x, scale: x.values * scale['by'], (tokens,),
                        {'scale': {'by': torch.ones(3)}}, modules=list)
    result.sum().backward()
    assert [type(each) for each in seen] == [torch.Tensor, torch.Tensor]
    assert torch.equal(tokens.values.grad, torch.ones(1, 4, 3))
