"""The benchmark of loading sees what a run would see."""
from auglocal_mm import DeviceAugmentHook
from auglocal_mm.lab.measure.loading import LoadingCost, loading_cost

DIGITS = 'auglocal_mm::demo/resnet34-slim_digits_auglocal.py'
SMALL = {'model.backbone.depth': 18, 'model.backbone.base_channels': 2,
         'model.backbone.stem_channels': 4, 'model.head.in_channels': 16,
         'model.local.modules': 3, 'train_dataloader.batch_size': 4,
         'train_dataloader.dataset.indices': 10}


def test_more_batches_than_the_data_have_are_timed_with_the_hooks(monkeypatch):
    seen, whole = [], DeviceAugmentHook.before_train

    def before_train(hook, runner):
        whole(hook, runner)
        seen.append(runner)

    monkeypatch.setattr(DeviceAugmentHook, 'before_train', before_train)
    cost = loading_cost(DIGITS, {
        **SMALL, 'default_hooks.device_augment.type': 'auglocal_mm.DeviceAugmentHook'}, batches=5)
    assert (cost.batch_size, cost.workers, cost.batches) == (4, 0, 5)
    assert cost.loading_seconds > 0 < cost.step_seconds
    runner, = seen
    transforms = runner.train_dataloader.dataset.pipeline.transforms
    assert [type(each).__name__ for each in transforms] == ['PackInputs']


def test_rates_are_images_per_second():
    cost = LoadingCost(batch_size=100, workers=2, loading_seconds=0.01, step_seconds=0.5,
                       batches=3)
    assert cost.to_dict()['loaded_per_second'] == 10_000
    assert cost.to_dict()['trained_per_second'] == 200
    assert str(cost).splitlines()[2:] == [
        'loading, 2 workers                    0.0100             10,000',
        'training step                         0.5000                200']
