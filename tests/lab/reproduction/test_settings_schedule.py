"""Shorter runs keep the shape of the schedule, and say what they are."""
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmengine.config import Config, DictAction

from auglocal_mm.engine.warmup_cosine import warmup_cosine
from auglocal_mm.lab.reproduction.settings import Settings
from auglocal_mm.lab.runs.schedule import (
    ScheduleError,
    scale_batch,
    scale_schedule,
    scaled_epochs,
)


def apply(cfg, options):
    """Options as the tools' command line takes them."""
    changed = Config(cfg.to_dict())
    pairs = (option.split('=', 1) for option in options)
    changed.merge_from_dict({key: DictAction._parse_iterable(text) for key, text in pairs})
    return changed


@pytest.fixture(scope='module')
def cifar(root):
    return Config.fromfile(root / 'configs/auglocal/resnet32_cifar10.py')


@pytest.fixture(scope='module')
def detector(root):
    return Config.fromfile(root / 'configs/mask_rcnn/mask-rcnn_r34_bp_fpn_adamw_1x_coco.py')


@given(scale=st.floats(0.001, 1))
def test_a_scaled_cifar_schedule_warms_up_within_its_run_and_ends_at_zero(cifar, scale):
    scaled = apply(cifar, scale_schedule(cifar, scale))
    schedule = scaled.param_scheduler
    assert scaled.train_cfg.max_epochs == schedule.epochs == scaled_epochs(cifar, scale)
    assert 1 <= schedule.warmup_epochs <= schedule.epochs
    last = warmup_cosine(schedule.epochs, lr=0.8, epochs=schedule.epochs,
                         warmup_epochs=schedule.warmup_epochs, warmup_lr=0.01)
    assert last <= 0.01


def test_at_full_length_nothing_changes(cifar, detector):
    assert scale_schedule(cifar, 1.0) == scale_schedule(detector, 1.0) == []


def test_steps_of_the_detectors_schedule_move_with_its_length(detector):
    scaled = apply(detector, scale_schedule(detector, 0.5))
    assert scaled.train_cfg.max_epochs == 6
    warmup, steps = scaled.param_scheduler
    assert (warmup.begin, warmup.end) == (0, 500)
    assert (steps.milestones, steps.end) == ([4, 6], 6)


def test_an_imagenet_schedule(root):
    cfg = Config.fromfile(root / 'configs/bp/vgg13_imagenet.py')
    scaled = apply(cfg, scale_schedule(cfg, 0.1))
    assert scaled.train_cfg.max_epochs == scaled.param_scheduler.T_max == 9


def test_an_unknown_scheduler_is_refused(cifar):
    cfg = apply(cifar, [])
    cfg.param_scheduler = dict(type='ExponentialLR', gamma=0.9)
    with pytest.raises(ScheduleError, match='param_scheduler of type ExponentialLR'):
        scale_schedule(cfg, 0.5)


@given(batch=st.integers(1, 4096))
def test_the_rate_is_proportional_to_the_batch(cifar, batch):
    scaled = apply(cifar, scale_batch(cifar, batch))
    assert scaled.train_dataloader.batch_size == batch
    assert scaled.optim_wrapper.optimizer.lr == pytest.approx(0.8 * batch / 1024, rel=1e-5)


def test_devices_share_the_papers_batch(root):
    cfg = Config.fromfile(root / 'configs/auglocal/resnet34_imagenet.py')
    for devices in (1, 4, 8):
        scaled = apply(cfg, scale_batch(cfg, None, devices=devices))
        assert scaled.train_dataloader.batch_size * devices == 1024
        assert scaled.optim_wrapper.optimizer.lr == cfg.optim_wrapper.optimizer.lr
    with pytest.raises(ScheduleError, match='multiple of the 3 devices, got 1024'):
        scale_batch(cfg, None, devices=3)


def test_settings_name_every_fault():
    with pytest.raises(ValueError, match=r'(?s)epochs scale .* got 0.*seeds must .* got 0'):
        Settings(epochs_scale=0, seeds=0)
    with pytest.raises(ValueError, match='at most 1, got 2'):
        Settings(epochs_scale=2)


@pytest.mark.parametrize(('extra', 'message'), [
    ('randomness.seed=7', 'randomness.seed is set for each run by --seeds'),
    ('train_cfg.max_epochs=10', 'is set for each run'), ('foo', "'foo' must be KEY=VALUE")])
def test_settings_that_break_the_plan_are_refused(extra, message):
    with pytest.raises(ValueError, match=message):
        Settings(extra=(extra,))


def test_what_cannot_change_a_result_is_no_departure():
    assert Settings(extra=('train_dataloader.num_workers=8', 'train_cfg.val_interval=5')
                    ).departures == ()
    assert Settings(extra=('model.local.tau=1',)).departures == ('model.local.tau=1',)


def test_a_folder_of_images_is_a_departure(tmp_path):
    (tmp_path / 'train/cat').mkdir(parents=True)
    (tmp_path / 'train/cat/0.jpg').touch()
    settings = Settings(data=tmp_path)
    assert 'images from a folder' in settings.departures[0]
    assert settings.folder_name == 'image-folder'


def test_the_papers_settings_have_no_departure():
    assert Settings().departures == ()
    assert Settings(seeds=1).folder_name == 'full-length'


def test_departures_are_said_and_keep_runs_apart():
    changed = [Settings(epochs_scale=0.1), Settings(batch_size=64), Settings(images_per_class=5),
               Settings(amp=True)]
    assert [len(each.departures) for each in changed] == [1] * 4
    assert len({each.folder_name for each in [*changed, Settings()]}) == 5


def test_a_folder_of_images_is_found_by_its_classes(tmp_path):
    assert Settings(data=tmp_path).image_folder('cifar10') is None
    (tmp_path / 'cifar10/train/cat').mkdir(parents=True)
    assert Settings(data=tmp_path).image_folder('cifar10') is None
    (tmp_path / 'cifar10/train/cat/0.jpg').touch()
    assert Settings(data=tmp_path).image_folder('cifar10') == tmp_path / 'cifar10'
    assert Settings(data=tmp_path / 'cifar10').image_folder('cifar10') == tmp_path / 'cifar10'
