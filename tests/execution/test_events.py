"""Listeners hear of every step in one fixed order."""
import copy
import pickle

import pytest
import torch
from mmengine.optim import OptimWrapper
from small import auglocal, batch, classifier

from auglocal_mm import AugLocalOptimWrapper
from auglocal_mm.execution import Listener, Listeners, Order


class Diary(Listener):
    def __init__(self, order, book):
        self.order, self.book = order, book

    def begin_step(self, event):
        self.book.append(('begin', self.order.name, event.updates))

    def before_module(self, module):
        self.book.append(('before', self.order.name, module))

    def after_module(self, event):
        graph = event.loss.requires_grad
        self.book.append(('module', self.order.name, event.module, list(event.trained), graph))

    def end_step(self):
        self.book.append(('end', self.order.name))


@pytest.fixture
def model():
    return classifier(auglocal(3)).train()


def wrap(model, **settings):
    return AugLocalOptimWrapper(torch.optim.SGD(model.parameters(), 0.1), **settings)


def test_the_order_is_that_of_the_enumeration_however_they_were_added(model):
    book = []
    for order in reversed(Order):
        model.listeners.add(Diary(order, book))
    model.train_step(batch(), wrap(model))
    names, modules = [order.name for order in Order], model.plan.modules
    assert [entry[1] for entry in book] == names * (2 * modules + 2)
    assert [entry[0] for entry in book[::5]] == [
        'begin', *['before', 'module'] * modules, 'end']
    assert [entry[2:] for entry in book if entry[0] == 'module'][::5] == [
        (module, [module], False) for module in range(modules)]


def test_a_listener_hears_of_a_module_before_the_next_one_runs(model):
    seen = []

    class Watch(Listener):
        order = Order.UPDATE

        def after_module(self, event):
            seen.append((event.name, {name for name, p in model.named_parameters()
                                      if p.grad is not None}))
    model.listeners.add(Watch())
    model.train_step(batch(), wrap(model))
    owned = [{name for name, p in model.named_parameters()
              if any(p is each for each in model.module_parameters(module))}
             for module in range(model.plan.modules)]
    for module, (_, with_gradient) in enumerate(seen):
        assert with_gradient == set().union(*owned[:module + 1])
    assert seen[0][0] == 'local module stem' and seen[-1][0].endswith('(the head)')


def test_the_update_lies_between_its_two_events(model):
    weights = []

    class Look(Listener):
        order = Order.COPY

        def before_update(self):
            weights.append(model.head.fc.weight.clone())

        end_step = before_update

    before = model.head.fc.weight.clone()
    model.listeners.add(Look())
    model.train_step(batch(), wrap(model))
    assert torch.equal(weights[0], before)
    assert torch.equal(weights[1], model.head.fc.weight) and not torch.equal(weights[1], before)


def test_joint_execution_refuses_listeners_that_would_hear_nothing(model):
    model.listeners.add(Diary(Order.UPDATE, []))
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), 0.1))
    with pytest.raises(TypeError, match='Diary must hear of each backward pass'):
        model.train_step(batch(), wrapper)


def test_accumulation_tells_which_steps_update(model):
    book = []
    model.listeners.add(Diary(Order.COPY, book))
    wrapper = wrap(model, accumulative_counts=2)
    wrapper.initialize_count_status(model, 0, 4)
    for seed in range(4):
        model.train_step(batch(seed=seed), wrapper)
    assert [entry[2] for entry in book if entry[0] == 'begin'] == [False, True, False, True]


def test_a_module_that_is_only_logged_trains_nothing(model):
    book = []
    model.listeners.add(Diary(Order.WATCH, book))
    model.head.requires_grad_(False)
    for stage in (model.backbone.layer3, ):
        stage.requires_grad_(False)
    for name, auxiliary in model.auxiliary.items():
        auxiliary.requires_grad_(not name.startswith('layer3'))
    model.train_step(batch(), wrap(model))
    last = [entry for entry in book if entry[0] == 'module'][-1]
    assert last[2:4] == (model.plan.modules - 1, [])


def test_copies_of_a_model_start_without_listeners(model):
    """They act on the model that they were made for; EMA's copy must not average gradients."""
    model.listeners.add(Diary(Order.AVERAGE, []))
    assert len(list(model.listeners)) == 1
    assert not list(copy.deepcopy(model).listeners)
    assert not list(pickle.loads(pickle.dumps(Listeners([Diary(Order.COPY, [])]))))


def test_a_listener_can_be_removed(model):
    book = []
    diary = Diary(Order.COPY, book)
    model.listeners.add(diary)
    model.listeners.remove(diary)
    model.train_step(batch(), wrap(model))
    assert not book
