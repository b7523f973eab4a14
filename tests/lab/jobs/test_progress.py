import pytest

from auglocal_mm.lab.jobs import Progress, parse_progress

HEAD = '2026/01/02 03:04:05 - mmengine - INFO - '
TRAIN = HEAD + ('Epoch(train)  [2][ 20/150]  lr: 1.0000e-03  eta: 0:01:05  time: 0.2  '
                'data_time: 0.01  loss: 1.2345  loss_cls: 0.5  local_loss: 9.0\n')
VALIDATING = HEAD + 'Epoch(val) [2][ 5/15]    eta: 0:00:07  time: 0.5\n'
VAL = HEAD + 'Epoch(val) [2][15/15]    coco/bbox_mAP: 0.7120  coco/bbox_mAP_50: 0.9\n'
TOP1 = HEAD + 'Epoch(val) [2][1/1]    accuracy/top1: 97.2222  data_time: 0.1\n'
TEST = HEAD + 'Epoch(test) [10/15]    eta: 0:00:03  time: 0.5\n'


@pytest.mark.parametrize(('log', 'expected'), [
    ('', Progress()),
    ('loading modules\nloss: 3\n', Progress()),
    (TRAIN, Progress(epoch=2, fraction=20 / 150, loss=1.2345, eta=65)),
    (TRAIN + VALIDATING, Progress(epoch=2, fraction=1.0, loss=1.2345, eta=65)),
    (TRAIN + VAL, Progress(epoch=2, fraction=1.0, loss=1.2345, metric='box AP 0.712', eta=65)),
    (TOP1 + TRAIN.replace('[2]', '[3]'),
     Progress(epoch=3, fraction=20 / 150, loss=1.2345, metric='top-1 97.2', eta=65)),
    (TRAIN.replace('0:01:05', '1 day, 0:00:01'),
     Progress(epoch=2, fraction=20 / 150, loss=1.2345, eta=86401)),
    (TEST, Progress(fraction=10 / 15, eta=3)),
])
def test_reads_mmengines_log(log, expected):
    assert parse_progress(log) == expected


def test_describes_itself():
    assert parse_progress(TRAIN + VAL).describe(9) == 'epoch 2/9 100 % · loss 1.23 · box AP 0.712'
    assert parse_progress(TEST).describe() == '67 %'
    assert Progress().describe(9) == ''


@pytest.mark.parametrize(('progress', 'epochs', 'share'), [
    (Progress(), 4, 0.0), (Progress(fraction=0.5), None, 0.5),
    (Progress(epoch=3, fraction=0.5), 4, 0.625), (Progress(epoch=4, fraction=1.0), 4, 1.0),
])
def test_share_of_the_whole(progress, epochs, share):
    assert progress.share(epochs) == share
