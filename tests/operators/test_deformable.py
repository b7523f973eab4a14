"""Deformable convolution v1 and v2: against a sum over samples, and compiled operators.

Float64 against the loop: 1e-9 of the largest value. Float32 against compiled operators:
1e-5, some hundred products in another order. Float16: 2e-2, because compiled operators
add up in 16 bits (unit 1e-3) and the gradients pass through two such sums.
"""
import operator_references as slow
import pytest
import torch
from mmcv.ops import deform_conv2d, modulated_deform_conv2d
from operator_extensions import assert_all_close, value_and_gradients

EXACT, SINGLE, HALF = 1e-9, 1e-5, 2e-2

#: stride, padding, dilation, groups, deform_groups, (kernel height, width)
GEOMETRIES = {
    'plain': (1, 1, 1, 1, 1, (3, 3)),
    'stride 2': (2, 1, 1, 1, 1, (3, 3)),
    'dilation 2': (1, 2, 2, 1, 1, (3, 3)),
    'groups': (1, 1, 1, 2, 1, (3, 3)),
    'deformable groups': (1, 1, 1, 2, 4, (3, 3)),
    'wide kernel': (1, 0, 1, 1, 2, (1, 4)),
}


@pytest.fixture(params=GEOMETRIES, ids=lambda name: name.replace(' ', '_'))
def geometry(request):
    return GEOMETRIES[request.param]


def tensors(geometry, spread):
    """Features, offsets, masks, weight and bias; offsets reach far outside with a wide spread."""
    stride, padding, dilation, groups, deform_groups, kernel = geometry
    generator = torch.Generator().manual_seed(3)

    def draw(*shape):
        return torch.randn(*shape, generator=generator)

    features = draw(2, 4, 7, 6)
    high, wide = ((side + 2 * padding - dilation * (tap - 1) - 1) // stride + 1
                  for side, tap in zip(features.shape[2:], kernel))
    taps = kernel[0] * kernel[1] * deform_groups
    return (features, draw(2, 2 * taps, high, wide) * spread,
            draw(2, taps, high, wide).sigmoid(), draw(6, 4 // groups, *kernel), draw(6))


def first_version(geometry):
    *others, _ = geometry
    return lambda features, offset, weight: deform_conv2d(features, offset, weight, *others)


def second_version(geometry, with_bias=True):
    *others, _ = geometry
    if with_bias:
        return lambda *inputs: modulated_deform_conv2d(*inputs, *others)
    return lambda *inputs: modulated_deform_conv2d(*inputs, None, *others)


def slow_version(geometry, modulated):
    stride, padding, dilation, groups, deform_groups, _ = geometry
    fixed = dict(stride=stride, padding=padding, dilation=dilation, groups=groups,
                 deform_groups=deform_groups)
    if not modulated:
        return lambda features, offset, weight: slow.deform_conv(features, offset, weight, **fixed)
    return lambda features, offset, mask, weight, bias=None: slow.deform_conv(
        features, offset, weight, mask=mask, bias=bias, **fixed)


@pytest.mark.parametrize('spread', [0.0, 1.0, 9.0])
@pytest.mark.usefixtures('stand_ins')
def test_v1_equals_a_loop(geometry, spread):
    features, offset, _, weight, _ = tensors(geometry, spread)
    inputs = [features, offset + 0.25, weight]  # away from the pixels, where samples have a kink
    assert_all_close(value_and_gradients(first_version(geometry), inputs),
                     value_and_gradients(slow_version(geometry, False), inputs), relative=EXACT)


@pytest.mark.parametrize('with_bias', [True, False])
@pytest.mark.parametrize('spread', [1.0, 9.0])
@pytest.mark.usefixtures('stand_ins')
def test_v2_equals_a_loop(geometry, spread, with_bias):
    inputs = list(tensors(geometry, spread))[:5 if with_bias else 4]
    assert_all_close(value_and_gradients(second_version(geometry, with_bias), inputs),
                     value_and_gradients(slow_version(geometry, True), inputs), relative=EXACT)


@pytest.mark.parametrize('modulated', [False, True], ids=['v1', 'v2'])
@pytest.mark.parametrize(('dtype', 'error'), [(torch.float32, SINGLE), (torch.float64, EXACT),
                                              (torch.float16, HALF)], ids=str)
def test_it_equals_the_compiled_one(geometry, dtype, error, modulated, by_both):
    features, offset, mask, weight, bias = tensors(geometry, 1.0)
    # Exact in 16 bits: a compiled operator also rounds positions, and one that passes a
    # pixel in rounding has another gradient.
    offset = (offset * 8).round() / 8 + 1 / 16
    function = second_version(geometry) if modulated else first_version(geometry)
    inputs = [features, offset, *([mask] if modulated else []), weight,
              *([bias] if modulated else [])]
    ours, theirs = by_both(lambda: value_and_gradients(function, inputs, dtype=dtype))
    assert_all_close(ours, theirs, relative=error)


@pytest.mark.usefixtures('stand_ins')
def test_without_offsets_it_is_a_convolution(geometry):
    stride, padding, dilation, groups, _, _ = geometry
    features, offset, _, weight, _ = tensors(geometry, 0.0)
    expected = torch.nn.functional.conv2d(features, weight, None, stride, padding, dilation,
                                          groups)
    torch.testing.assert_close(first_version(geometry)(features, offset, weight), expected)


@pytest.mark.usefixtures('stand_ins')
def test_only_the_gradients_asked_for():
    features, offset, _, weight, _ = tensors(GEOMETRIES['plain'], 1.0)
    weight.requires_grad_()
    first_version(GEOMETRIES['plain'])(features, offset, weight).sum().backward()
    assert weight.grad.isfinite().all()
    assert features.grad is None


@pytest.mark.parametrize('extension', ['stand_ins', 'by_both'])
def test_a_larger_map_is_read_from_its_start(extension, request):
    """As mmdet's DyHead has it: offsets for 10 by 7 where the output is 7 by 6."""
    features, _, _, weight, bias = tensors(GEOMETRIES['plain'], 1.0)
    generator = torch.Generator().manual_seed(4)
    offset = torch.randn(2, 18, 10, 7, generator=generator)
    mask = torch.rand(2, 9, 10, 7, generator=generator)
    inputs = [features, offset, mask, weight, bias]
    call = second_version(GEOMETRIES['plain'])
    provided = request.getfixturevalue(extension)
    if extension == 'by_both':
        ours, theirs = provided(lambda: value_and_gradients(call, inputs, dtype=torch.float32))
        assert_all_close(ours, theirs, relative=SINGLE)
        return

    def explicit(features, offset, mask, weight, bias):
        cut = (each.flatten(1)[:, :each.shape[1] * 42].reshape(2, -1, 7, 6)
               for each in (offset, mask))
        return call(features, *cut, weight, bias)
    assert_all_close(value_and_gradients(call, inputs), value_and_gradients(explicit, inputs),
                     relative=EXACT)


@pytest.mark.usefixtures('stand_ins')
def test_a_map_too_small_for_the_output_is_refused():
    features, offset, mask, weight, bias = tensors(GEOMETRIES['plain'], 1.0)
    with pytest.raises(ValueError, match=r'must cover the output of \(7, 6\), got \(6, 6\)'):
        second_version(GEOMETRIES['plain'])(features, offset[:, :, :6], mask[:, :, :6], weight,
                                            bias)
