"""The optimizer wrapper: doors, precision, state."""
import pytest
import torch
from small import auglocal, batch, classifier

from auglocal_mm import AugLocalOptimWrapper


def wrap(model, **settings):
    return AugLocalOptimWrapper(torch.optim.SGD(model.parameters(), 0.1), **settings)


@pytest.mark.parametrize(('settings', 'said'), [
    ({'dtype': 'float8'}, "got 'float8'"),
    ({'loss_scale': 'dynamic'}, 'for dtype float16 only'),
    ({'dtype': 'bfloat16', 'loss_scale': 8.0}, 'for dtype float16 only'),
    ({'dtype': 'float16', 'loss_scale': 'static'}, "must be 'dynamic', a number or a dict"),
    ({'accumulative_counts': 0}, 'at least 1, got 0'),
])
def test_impossible_settings_are_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        wrap(torch.nn.Linear(1, 1), **settings)


def test_forwards_are_in_low_precision_and_backwards_outside_of_autocast(monkeypatch):
    model = classifier(auglocal(2)).train()
    dtypes, autocast = set(), []
    model.backbone.layer2[0].conv1.register_forward_hook(
        lambda module, inputs, output: dtypes.add(output.dtype))
    original = AugLocalOptimWrapper.backward_local
    monkeypatch.setattr(AugLocalOptimWrapper, 'backward_local', lambda self, loss: (
        autocast.append(torch.is_autocast_enabled('cpu')), original(self, loss))[1])
    model.train_step(batch(), wrap(model, dtype='bfloat16'))
    assert dtypes == {torch.bfloat16}
    assert autocast == [False] * model.plan.modules
    assert all(parameter.dtype is torch.float32 for parameter in model.parameters())


def test_an_overflow_skips_the_step_and_lowers_the_scale():
    model = classifier(auglocal(2)).train()
    wrapper = wrap(model, dtype='float16', loss_scale={'init_scale': 2.0 ** 60})
    before = {name: p.clone() for name, p in model.named_parameters()}
    model.train_step(batch(), wrapper)
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters())
    assert wrapper.loss_scaler.get_scale() < 2.0 ** 60


def test_clipping_sees_unscaled_gradients_of_all_modules():
    model = classifier(auglocal(2)).train()
    wrapper = wrap(model, dtype='float16', loss_scale=1024.0,
                   clip_grad={'max_norm': 1e-3})
    before = {name: p.clone() for name, p in model.named_parameters()}
    model.train_step(batch(), wrapper)
    moved = torch.cat([(p - before[n]).flatten() for n, p in model.named_parameters()])
    assert 0 < moved.norm() <= 0.1 * 1e-3 * 1.01


def test_state_goes_out_and_in_and_precision_may_change():
    model = classifier(auglocal(2)).train()
    wrapper = wrap(model, dtype='float16', loss_scale=64.0)
    model.train_step(batch(), wrapper)
    state = wrapper.state_dict()
    assert state['loss_scaler']['scale'] == 64.0
    again = wrap(model, dtype='float16')
    again.load_state_dict(state)
    assert again.loss_scaler.get_scale() == 64.0
    full = wrap(model)
    full.load_state_dict(state)
    assert 'loss_scaler' not in full.state_dict()


def test_it_is_an_ordinary_wrapper_for_any_other_model():
    model = torch.nn.Linear(2, 1)
    wrapper = wrap(model)
    before = model.weight.clone()
    with wrapper.optim_context(model):
        loss = model(torch.ones(1, 2)).sum()
    wrapper.update_params(loss)
    assert not torch.equal(model.weight, before) and wrapper.inner_count == 1
