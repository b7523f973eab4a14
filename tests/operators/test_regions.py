"""RoIAlign and RoIPool: values and gradients against loops and compiled operators.

Float64 against a loop: 1e-9 of the largest value, some thousand roundings of 1e-16 and
room. Float32 against compiled operators: 1e-5, a sum of up to some hundred products in
another order. Float16: 1e-2, because compiled operators add up in 16 bits (unit 1e-3).
"""
import operator_references as slow
import pytest
import torch
from mmcv.ops import RoIAlign, roi_align, roi_pool
from operator_extensions import assert_all_close, value_and_gradients

from auglocal_mm.operators import MissingOperatorError

EXACT, SINGLE, HALF = 1e-9, 1e-5, 1e-2

ROIS = {
    'none': torch.zeros(0, 5),
    'one': torch.tensor([[0.0, 3, 4, 20, 17]]),
    'several images': torch.tensor([[1.0, 0.5, 2.25, 9.75, 30], [0, 8, 1, 25, 12],
                                    [2, 0, 0, 31, 31], [1, 14, 14, 15, 15.5]]),
    'outside the image': torch.tensor([[0.0, -40, -40, -20, -10], [1, 60, 60, 90, 80],
                                       [2, -10, 20, 10, 50], [0, 25, -8, 60, 8]]),
    'no area': torch.tensor([[0.0, 7, 7, 7, 7], [1, 3, 3, 3, 9], [2, 5.5, 9, 8, 9]]),
}
FEATURES = torch.randn(3, 2, 8, 8, generator=torch.Generator().manual_seed(1))
SCALE = 0.25


@pytest.fixture(params=ROIS, ids=lambda name: name.replace(' ', '_'))
def rois(request):
    return ROIS[request.param]


def aligned_pool(rois, sampling_ratio, aligned, size=(3, 2)):
    return lambda features: roi_align(features, rois.to(features), size, SCALE, sampling_ratio,
                                      'avg', aligned)


@pytest.mark.parametrize('aligned', [True, False], ids=['aligned', 'legacy'])
@pytest.mark.parametrize('sampling_ratio', [0, 2])
@pytest.mark.usefixtures('stand_ins')
def test_roi_align_equals_a_loop(rois, sampling_ratio, aligned):
    found = value_and_gradients(aligned_pool(rois, sampling_ratio, aligned), [FEATURES])
    expected = value_and_gradients(
        lambda features: slow.roi_align(features, rois.double(), (3, 2), SCALE, sampling_ratio,
                                        aligned), [FEATURES])
    assert_all_close(found, expected, relative=EXACT)


@pytest.mark.parametrize(('dtype', 'error'), [(torch.float32, SINGLE), (torch.float64, EXACT),
                                              (torch.float16, HALF)], ids=str)
@pytest.mark.parametrize('aligned', [True, False], ids=['aligned', 'legacy'])
@pytest.mark.parametrize('sampling_ratio', [0, 2])
def test_roi_align_equals_the_compiled_one(rois, sampling_ratio, aligned, dtype, error, by_both):
    ours, theirs = by_both(lambda: value_and_gradients(
        aligned_pool(rois, sampling_ratio, aligned), [FEATURES], dtype=dtype))
    assert_all_close(ours, theirs, relative=error)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
@pytest.mark.usefixtures('stand_ins')
def test_16_bits_round_once(dtype):
    rois = ROIS['several images']
    function = aligned_pool(rois.to(dtype).float(), 0, True)
    found = value_and_gradients(function, [FEATURES.to(dtype)], dtype=dtype)
    wide = value_and_gradients(function, [FEATURES.to(dtype)], dtype=torch.float32)
    assert found[0].dtype == dtype
    assert torch.equal(found[0], wide[0].to(dtype))


@pytest.mark.usefixtures('stand_ins')
def test_under_autocast_as_a_layer():
    layer = RoIAlign((2, 2), SCALE)
    with torch.autocast('cpu', torch.bfloat16):
        pooled = layer(FEATURES.bfloat16(), ROIS['one'])
    assert pooled.isfinite().all()


@pytest.mark.usefixtures('stand_ins')
def test_maximum_pooling_is_refused():
    with pytest.raises(MissingOperatorError, match="pool_mode='max'.*'avg' works"):
        roi_align(FEATURES, ROIS['one'], (2, 2), 1.0, 0, 'max')


@pytest.mark.parametrize('scale', [1.0, SCALE, 1 / 3])
@pytest.mark.usefixtures('stand_ins')
def test_roi_pool_equals_a_loop(rois, scale):
    """mmcv compiles RoIPool for CUDA alone, so on a CPU the loop is the only witness."""
    found = value_and_gradients(
        lambda features: roi_pool(features, rois.to(features), (3, 2), scale), [FEATURES])
    expected = value_and_gradients(
        lambda features: slow.roi_pool(features, rois.double(), (3, 2), scale), [FEATURES])
    assert_all_close(found, expected, relative=EXACT)


@pytest.mark.usefixtures('stand_ins')
def test_roi_pool_agrees_with_torchvision_on_whole_pixels():
    from torchvision.ops import roi_pool as of_torchvision
    rois = torch.tensor([[0.0, 0, 1, 5, 7], [2, 2, 2, 4, 3], [1, 0, 0, 7, 7]])
    assert torch.equal(roi_pool(FEATURES, rois, (3, 2)), of_torchvision(FEATURES, rois, (3, 2)))


@pytest.mark.parametrize('image', [-1, 3])
@pytest.mark.usefixtures('stand_ins')
def test_a_region_of_no_image_is_refused(image):
    with pytest.raises(IndexError, match='images 0 to 2'):
        roi_pool(FEATURES, torch.tensor([[image, 0.0, 0, 5, 5]]), (2, 2))
