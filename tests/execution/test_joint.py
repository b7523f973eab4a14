"""Immediate and joint execution give the same gradients, whatever drives them."""
import copy

import pytest
import torch
from mmengine.optim import OptimWrapper
from small import KeepGradients, auglocal, batch, classifier, gradients, in_float64

from auglocal_mm import AugLocalOptimWrapper


def both(accumulative_counts=1, steps=1, **wrapper):
    """Gradients that reach the optimizer, immediate and joint."""
    results = []
    for kind in (AugLocalOptimWrapper, OptimWrapper):
        model = in_float64(classifier(auglocal(3))).train()
        optimizer = KeepGradients(model)
        wrapped = kind(optimizer, accumulative_counts=accumulative_counts, **wrapper)
        logs = [model.train_step(batch(seed=step, dtype=torch.float64), wrapped)
                for step in range(steps)]
        results.append((optimizer.seen, logs))
    return results


def test_gradients_and_logs_are_equal():
    (immediate, logs), (joint, joint_logs) = both()
    assert len(immediate) == len(joint) == 1
    assert immediate[0].keys() == joint[0].keys()
    assert all(torch.equal(immediate[0][key], joint[0][key]) for key in joint[0])
    for key in ('loss', 'local_loss'):
        torch.testing.assert_close(logs[0][key].double(), joint_logs[0][key].double())


def test_accumulated_gradients_are_equal_and_counted_once_a_step():
    (immediate, _), (joint, _) = both(accumulative_counts=2, steps=4)
    assert len(immediate) == len(joint) == 2
    for ours, theirs in zip(immediate, joint):
        for key in theirs:
            torch.testing.assert_close(ours[key], theirs[key], rtol=1e-10, atol=1e-13)


def test_accumulation_over_two_halves_is_the_whole_batch():
    """With normalisation frozen the mean over halves is the mean over the batch."""
    whole = batch(8, dtype=torch.float64)
    halves = [{key: value[part] for key, value in whole.items()}
              for part in (slice(0, 4), slice(4, 8))]
    seen = []
    for parts in ([whole], halves):
        model = in_float64(classifier(auglocal(3))).eval()
        optimizer = KeepGradients(model)
        wrapper = AugLocalOptimWrapper(optimizer, accumulative_counts=len(parts))
        for part in parts:
            model.train_step(part, wrapper)
        assert len(optimizer.seen) == 1
        seen.append(optimizer.seen[0])
    for key in seen[0]:
        torch.testing.assert_close(seen[1][key], seen[0][key], rtol=1e-10, atol=1e-13)


def test_the_last_steps_of_an_uneven_run_are_scaled_as_mmengine_does():
    seen = []
    for kind in (AugLocalOptimWrapper, OptimWrapper):
        model = in_float64(classifier(auglocal(3))).train()
        optimizer = KeepGradients(model)
        wrapper = kind(optimizer, accumulative_counts=2)
        wrapper.initialize_count_status(model, 0, 3)
        for step in range(3):
            model.train_step(batch(seed=step, dtype=torch.float64), wrapper)
        seen.append(optimizer.seen)
    assert len(seen[0]) == len(seen[1]) == 2
    for key in seen[0][1]:
        torch.testing.assert_close(seen[0][1][key], seen[1][1][key], rtol=1e-10, atol=1e-13)


def test_another_wrapper_is_told_once_that_memory_is_not_saved(monkeypatch):
    said = []
    monkeypatch.setattr('auglocal_mm.models.local_training.print_log',
                        lambda message, **_: said.append(message))
    model = classifier(auglocal()).train()
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), 0.1))
    for _ in range(2):
        model.train_step(batch(), wrapper)
    assert len(said) == 1 and 'OptimWrapper' in said[0] and 'memory is not saved' in said[0]


def test_loss_mode_is_joint_with_graph():
    model = in_float64(classifier(auglocal())).train()
    twin = copy.deepcopy(model)
    data = batch(dtype=torch.float64)
    losses = model(**data, mode='loss')
    assert set(losses) == {'loss', 'local_loss'}
    sum(losses.values()).backward()
    optimizer = KeepGradients(twin)
    twin.train_step(data, AugLocalOptimWrapper(optimizer))
    assert all(torch.equal(optimizer.seen[0][k], g) for k, g in gradients(model).items())


@pytest.mark.parametrize('dtype', ['bfloat16', 'float16'])
def test_mixed_precision_is_near_full_precision(dtype):
    seen = []
    for precision in (None, dtype):
        model = classifier(auglocal(2)).train()
        optimizer = KeepGradients(model)
        settings = {'loss_scale': 128.0} if precision == 'float16' else {}
        model.train_step(batch(16), AugLocalOptimWrapper(optimizer, dtype=precision, **settings))
        seen.append(torch.cat([g.flatten() for _, g in sorted(optimizer.seen[0].items())]))
    full, mixed = seen
    assert torch.nn.functional.cosine_similarity(full, mixed, dim=0) > 0.95
    assert 0.8 < (full @ mixed) / (full @ full) < 1.25
