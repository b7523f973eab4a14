"""Focal losses, attention, CARAFE and masked convolution: against loops.

mmcv compiles these for CUDA alone, so on a CPU the loops are the only witnesses. Float64:
1e-9 of the largest value.
"""
import operator_references as slow
import pytest
import torch
from mmcv.ops import carafe, masked_conv2d, sigmoid_focal_loss, softmax_focal_loss
from mmcv.ops.multi_scale_deform_attn import MultiScaleDeformableAttnFunction
from operator_extensions import assert_all_close, value_and_gradients

EXACT = 1e-9

pytestmark = pytest.mark.usefixtures('stand_ins')

LOGITS = torch.randn(9, 4, generator=torch.Generator().manual_seed(2)) * 3
#: The number of classes, 4, stands for background.
TARGETS = torch.tensor([0, 1, 2, 3, 4, 4, 0, 3, 1])
WEIGHTS = torch.tensor([0.5, 2.0, 1.0, 3.0])


def weights(given, dtype=torch.float64):
    return WEIGHTS.to(dtype) if given else None


@pytest.mark.parametrize('gamma', [2.0, 1.5])
@pytest.mark.parametrize('weighted', [False, True])
def test_sigmoid_focal_loss(gamma, weighted):
    found = value_and_gradients(
        lambda x: sigmoid_focal_loss(x, TARGETS, gamma, 0.25, weights(weighted), 'none'), [LOGITS])
    expected = value_and_gradients(
        lambda x: slow.sigmoid_focal_loss(x, TARGETS, gamma, 0.25, weights(weighted)), [LOGITS])
    assert_all_close(found, expected, relative=EXACT)


@pytest.mark.parametrize('gamma', [2.0, 1.5])
@pytest.mark.parametrize('weighted', [False, True])
def test_softmax_focal_loss(gamma, weighted):
    """The loss itself has no reduction in its backward pass but the sum's."""
    targets = torch.where(TARGETS == 4, -1, TARGETS)
    found = value_and_gradients(
        lambda x: softmax_focal_loss(x, targets, gamma, 0.25, weights(weighted), 'sum'), [LOGITS])
    expected = value_and_gradients(
        lambda x: slow.softmax_focal_loss(x, targets, gamma, 0.25, weights(weighted)).sum(),
        [LOGITS])
    assert_all_close(found, expected, relative=EXACT)


@pytest.mark.parametrize('reduction', ['none', 'mean', 'sum'])
def test_sigmoid_focal_loss_equals_the_hosts_own_in_python(reduction):
    from mmdet.models.losses.focal_loss import py_sigmoid_focal_loss
    one_hot = torch.nn.functional.one_hot(TARGETS, 5)[:, :4]
    expected = py_sigmoid_focal_loss(LOGITS, one_hot, reduction=reduction)
    found = sigmoid_focal_loss(LOGITS, TARGETS, 2.0, 0.25, None, reduction)
    if reduction == 'mean':  # by rows here, by elements there
        found = found / LOGITS.shape[1]
    torch.testing.assert_close(found, expected)


def test_extreme_logits_stay_finite():
    logits = torch.tensor([[200.0, -200.0], [-200.0, 200.0]], requires_grad=True)
    loss = sigmoid_focal_loss(logits, torch.tensor([0, 0]), 2.0, 0.25, None, 'sum')
    loss.backward()
    assert loss.isfinite()
    assert logits.grad.isfinite().all()


def test_no_boxes_no_loss():
    loss = sigmoid_focal_loss(LOGITS[:0], TARGETS[:0], 2.0, 0.25, None, 'sum')
    assert loss == 0


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_a_16_bit_loss_rounds_once(dtype):
    narrow = LOGITS.to(dtype)
    found = sigmoid_focal_loss(narrow, TARGETS, 2.0, 0.25, None, 'none')
    wide = sigmoid_focal_loss(narrow.float(), TARGETS, 2.0, 0.25, None, 'none')
    assert torch.equal(found, wide.to(dtype))


def attention_inputs():
    generator = torch.Generator().manual_seed(5)
    shapes = torch.tensor([[4, 5], [2, 3]])
    keys = int(shapes.prod(1).sum())
    value = torch.randn(2, keys, 2, 3, generator=generator)
    # Some sampling points lie outside the maps.
    locations = torch.rand(2, 4, 2, 2, 3, 2, generator=generator) * 1.4 - 0.2
    shares = torch.rand(2, 4, 2, 2, 3, generator=generator)
    starts = torch.tensor([0, int(shapes[0].prod())])
    return shapes, starts, [value, locations, shares]


def attend(shapes, starts):
    return lambda value, locations, shares: MultiScaleDeformableAttnFunction.apply(
        value, shapes, starts, locations, shares, 64)


def test_multi_scale_deformable_attention():
    """Called as on CUDA; on the CPU mmcv goes to its own function by itself."""
    shapes, starts, inputs = attention_inputs()
    found = value_and_gradients(attend(shapes, starts), inputs)
    expected = value_and_gradients(
        lambda value, locations, shares: slow.attention(value, shapes, locations, shares), inputs)
    assert_all_close(found, expected, relative=EXACT)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_16_bit_attention_rounds_once(dtype):
    shapes, starts, inputs = attention_inputs()
    narrow = [each.to(dtype) for each in inputs]
    found = attend(shapes, starts)(*narrow)
    wide = attend(shapes, starts)(*(each.float() for each in narrow))
    assert torch.equal(found, wide.to(dtype))


@pytest.mark.parametrize(('side', 'groups', 'scale'), [(3, 1, 2), (5, 2, 1), (1, 4, 3)])
def test_carafe(side, groups, scale):
    generator = torch.Generator().manual_seed(6)
    inputs = [torch.randn(2, 4, 3, 4, generator=generator),
              torch.randn(2, side * side * groups, 3 * scale, 4 * scale, generator=generator)]
    found = value_and_gradients(lambda x, masks: carafe(x, masks, side, groups, scale), inputs)
    expected = value_and_gradients(lambda x, masks: slow.carafe(x, masks, side, groups, scale),
                                   inputs)
    assert_all_close(found, expected, relative=EXACT)


def test_carafe_ignores_autocast():
    generator = torch.Generator().manual_seed(6)
    features = torch.randn(1, 4, 3, 4, generator=generator)
    masks = torch.randn(1, 9, 6, 8, generator=generator)
    with torch.autocast('cpu', torch.bfloat16):
        inside = carafe(features, masks, 3, 1, 2)
    assert torch.equal(inside, carafe(features, masks, 3, 1, 2))


@pytest.mark.parametrize('share', [0.0, 0.4, 1.0])
def test_masked_convolution_is_a_convolution_at_the_mask(share):
    generator = torch.Generator().manual_seed(8)
    features = torch.randn(1, 3, 6, 7, generator=generator)
    mask = (torch.rand(1, 6, 7, generator=generator) < share).float()
    weight, bias = torch.randn(5, 3, 3, 3, generator=generator), torch.randn(5, generator=generator)
    expected = torch.nn.functional.conv2d(features, weight, bias, padding=1) * mask
    torch.testing.assert_close(masked_conv2d(features, mask, weight, bias, 1), expected,
                               rtol=1e-5, atol=1e-5)
