"""NMS, Soft-NMS and NMS with groups: against loops, and against compiled operators.

What is kept is compared exactly: integers have no tolerance. Scores of Soft-NMS may
differ by 1e-6 of 1, eight units in the last place, which the two libraries' exponential
functions and as many products of weights explain.
"""
import operator_references as slow
import pytest
import torch
from mmcv.ops import batched_nms, bbox_overlaps, nms, nms_match, soft_nms

SCORE_ERROR = 1e-6
METHODS = ('naive', 'linear', 'gaussian')


def random_boxes(count, seed=0, *, whole=False):
    generator = torch.Generator().manual_seed(seed)
    low = torch.rand(count, 2, generator=generator) * 60
    boxes = torch.cat([low, low + torch.rand(count, 2, generator=generator) * 40], dim=1)
    return boxes.round() if whole else boxes


def distinct_scores(count, seed=0):
    return (torch.randperm(count, generator=torch.Generator().manual_seed(seed)) + 1) / (count + 1)


BOXES = {
    'none': torch.zeros(0, 4),
    'one': torch.tensor([[1.0, 2, 30, 40]]),
    'twins': torch.tensor([[1.0, 2, 30, 40]]).repeat(4, 1),
    'no area': torch.tensor([[5.0, 5, 5, 5], [5, 5, 5, 5], [5, 5, 9, 5], [4, 4, 6, 6]]),
    'outside the image': random_boxes(12) - 200,
    'apart': torch.tensor([[0.0, 0, 1, 1], [10, 10, 11, 11], [20, 20, 21, 21]]),
    'inverted': torch.tensor([[9.0, 9, 1, 1], [0, 0, 10, 10], [1, 1, 9, 9]]),
    'random': random_boxes(40),
    'whole pixels': random_boxes(40, whole=True),
}
#: Neither of the first two is exact in binary: 0.1 is rounded up to float32, 0.7 down.
THRESHOLDS = (0.1, 0.7, 0.5)


@pytest.fixture(params=BOXES, ids=lambda name: name.replace(' ', '_'))
def boxes(request):
    return BOXES[request.param]


@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('threshold', THRESHOLDS)
@pytest.mark.usefixtures('stand_ins')
def test_nms_keeps_what_a_loop_keeps(boxes, threshold, offset):
    scores = distinct_scores(len(boxes))
    kept = nms(boxes, scores, threshold, offset)[1]
    assert kept.tolist() == slow.nms(boxes.tolist(), scores.tolist(), offset=offset,
                                     iou_threshold=threshold)


@pytest.mark.parametrize('equal', [False, True], ids=['distinct', 'equal'])
@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('threshold', THRESHOLDS)
def test_nms_keeps_what_the_compiled_one_keeps(boxes, threshold, offset, equal, by_both):
    scores = torch.full((len(boxes),), 0.5) if equal else distinct_scores(len(boxes))
    ours, theirs = by_both(lambda: nms(boxes, scores, threshold, offset))
    assert ours[1].tolist() == theirs[1].tolist()
    assert torch.equal(ours[0], theirs[0])


def test_a_threshold_is_met_in_32_bits(by_both):
    """IoU 1/10 exactly; 0.1 in 32 bits is above it, and in 64 bits below the quotient's float32."""
    boxes = torch.tensor([[0.0, 0, 10, 1], [0, 0, 1, 1]])
    ours, theirs = by_both(lambda: nms(boxes, torch.tensor([0.9, 0.8]), 0.1)[1].tolist())
    assert ours == theirs


@pytest.mark.parametrize('count', [700, 1500])
def test_thousands_of_boxes_in_classes(count, by_both):
    boxes, scores = random_boxes(count, seed=3), distinct_scores(count, seed=4)
    classes = torch.arange(count) % 5
    ours, theirs = by_both(lambda: batched_nms(boxes, scores, classes, dict(
        type='nms', iou_threshold=0.6, split_thr=1000))[1].tolist())
    assert ours == theirs


@pytest.mark.parametrize('options', [dict(score_threshold=0.5), dict(max_num=3)])
def test_options_of_the_caller(options, by_both):
    ours, theirs = by_both(lambda: nms(BOXES['random'], distinct_scores(40), 0.4, **options)[1])
    assert ours.tolist() == theirs.tolist()
    assert len(ours)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.usefixtures('stand_ins')
def test_nms_takes_any_precision(dtype):
    boxes, scores = BOXES['whole pixels'], distinct_scores(40)
    kept = nms(boxes.to(dtype), scores.to(dtype), 0.5)[1]
    again = nms(boxes, scores.to(dtype).float(), 0.5)[1]
    assert kept.tolist() == again.tolist()


@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize('least', [1e-3, 0.3])
@pytest.mark.usefixtures('stand_ins')
def test_soft_nms_equals_a_loop(boxes, method, least, offset):
    if method == 'gaussian':  # the IoU of two boxes without area is 0/0, and no score follows
        boxes = boxes[((boxes[:, 2:] - boxes[:, :2] + offset) != 0).all(1)]
    scores = distinct_scores(len(boxes), seed=1)
    dets, kept = soft_nms(boxes, scores, 0.3, 0.5, least, method, offset)
    expected = slow.soft_nms(boxes.tolist(), scores.tolist(), iou_threshold=0.3, sigma=0.5,
                             min_score=least, method=method, offset=offset)
    assert kept.tolist() == [index for index, _ in expected]
    assert dets[:, 4].tolist() == pytest.approx([score for _, score in expected],
                                                abs=SCORE_ERROR)
    assert torch.equal(dets[:, :4], boxes[kept])


@pytest.mark.parametrize('equal', [False, True], ids=['distinct', 'equal'])
@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize('least', [1e-3, 0.3])
def test_soft_nms_equals_the_compiled_one(boxes, method, least, offset, equal, by_both):
    """The order among equal scores included, which depends on how rows are moved."""
    scores = torch.full((len(boxes),), 0.5) if equal else distinct_scores(len(boxes))
    ours, theirs = by_both(lambda: soft_nms(boxes, scores, 0.3, 0.5, least, method, offset))
    assert ours[1].tolist() == theirs[1].tolist()
    torch.testing.assert_close(ours[0], theirs[0], rtol=0, atol=SCORE_ERROR,
                               equal_nan=True)


@pytest.mark.parametrize('threshold', THRESHOLDS)
@pytest.mark.usefixtures('stand_ins')
def test_groups_are_those_of_a_loop(boxes, threshold):
    dets = torch.cat([boxes, distinct_scores(len(boxes))[:, None]], dim=1)
    groups = [group.tolist() for group in nms_match(dets, threshold)]
    assert groups == slow.nms_match(dets.tolist(), iou_threshold=threshold)
    assert sorted(sum(groups, [])) == list(range(len(boxes)))


@pytest.mark.parametrize('equal', [False, True], ids=['distinct', 'equal'])
@pytest.mark.parametrize('threshold', THRESHOLDS)
def test_groups_are_those_of_the_compiled_operator(boxes, threshold, equal, by_both):
    scores = torch.full((len(boxes),), 0.5) if equal else distinct_scores(len(boxes))
    dets = torch.cat([boxes, scores[:, None]], dim=1)
    ours, theirs = by_both(lambda: [group.tolist() for group in nms_match(dets, threshold)])
    assert ours == theirs


@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.usefixtures('stand_ins')
def test_overlaps_equal_a_loop(boxes, offset):
    found = bbox_overlaps(boxes, BOXES['random'][:7], offset=offset)
    expected = [[slow.iou(first, second, offset) for second in BOXES['random'][:7].tolist()]
                for first in boxes.tolist()]
    torch.testing.assert_close(found, torch.tensor(expected).view(len(boxes), 7), rtol=1e-5,
                               atol=1e-6)


@pytest.mark.parametrize('aligned', [False, True])
@pytest.mark.parametrize('mode', ['iou', 'iof'])
@pytest.mark.parametrize('offset', [0, 1])
def test_overlaps_equal_the_compiled_ones(mode, offset, aligned, by_both):
    ours, theirs = by_both(lambda: bbox_overlaps(
        BOXES['random'], BOXES['whole pixels'], mode=mode, aligned=aligned, offset=offset))
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
