"""Every setting of execution with every other: equal to the oracle, or refused with the fix.

All of them: make test-slow ARGS=tests/engine/test_together.py
"""
import copy
import itertools
import re
from functools import partial

import pytest
import torch
from mmengine.model import ExponentialMovingAverage
from networks import NETWORKS
from oracle import oracle_gradients
from ranks import run_ranks
from small import auglocal, batch, network_classifier
from tool_runs import ROOT

from auglocal_mm import AugLocalOptimWrapper, LocalDistributedDataParallel
from auglocal_mm.engine.optim_settings import DTYPES

LR, MAX_NORM, MOMENTUM, SCALE = 0.02, 0.5, 0.3, 1024.0
NETWORK = NETWORKS['Sequential']
#: The settings of a run, each with its values; the first is the default.
AXES = {
    'precision': (None, 'bfloat16', 'float16'),
    'accumulative_counts': (1, 3),
    'ranks': (1, 2),
    'clip_grad': (None, 'norm', 'per_module'),
    'EMA': (False, True),
    'step_per_module': (False, True),
    'recompute': (False, True),
}
CLIPS = {None: None, 'norm': {'max_norm': MAX_NORM},
         'per_module': {'max_norm': MAX_NORM, 'per_module': True}}
#: Distance to the oracle's weights, as part of the way that they went.
TOLERANCE = 1e-4


def combinations(**fixed):
    axes = {**AXES, **{name: (value,) for name, value in fixed.items()}}
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


def build(recompute=False):
    return network_classifier(NETWORK, auglocal(2), recompute=recompute).train()


def steps(settings):
    """The number of steps of two updates."""
    return 2 * settings['accumulative_counts']


def data(step, rank):
    return batch(4, side=8, seed=10 * step + rank)


def run(settings, rank=0):
    """Train; return the weights, and those of the average if there is one."""
    model = build(settings['recompute'])
    average = ExponentialMovingAverage(model, momentum=MOMENTUM) if settings['EMA'] else None
    precision = settings['precision']
    wrapper = AugLocalOptimWrapper(
        torch.optim.SGD(model.parameters(), LR), dtype=precision,
        loss_scale=SCALE if precision == 'float16' else None,
        accumulative_counts=settings['accumulative_counts'],
        clip_grad=copy.deepcopy(CLIPS[settings['clip_grad']]),
        step_per_module=settings['step_per_module'])
    wrapper.initialize_count_status(model, 0, steps(settings))
    trained = LocalDistributedDataParallel(model) if settings['ranks'] > 1 else model
    for step in range(steps(settings)):
        trained.train_step(data(step, rank), wrapper)
        if average is not None:
            average.update_parameters(model)
    ends = [model, *([average.module] if average else [])]
    return [{name: p.detach().clone() for name, p in end.named_parameters()} for end in ends]


def expected(settings):
    """The same by hand: the oracle's gradients, their mean, torch's clipping, plain SGD."""
    model = build()
    counts, ranks = settings['accumulative_counts'], settings['ranks']
    precision = settings['precision']
    average = {name: p.detach().clone() for name, p in model.named_parameters()}
    sums = {}
    for step in range(steps(settings)):
        for rank in range(ranks):
            # Low precision rounds what is scaled, so the oracle scales as well.
            found = oracle_gradients(
                model, data(step, rank), NETWORK,
                scale=(SCALE if precision == 'float16' else 1) / counts,
                precision=partial(torch.autocast, 'cpu', dtype=DTYPES.get(precision),
                                  enabled=precision is not None))
            for name, gradient in found.items():
                sums[name] = sums.get(name, 0) + gradient / (counts * ranks)
        if (step + 1) % counts == 0:
            for name, parameter in model.named_parameters():
                parameter.grad = sums.get(name)
            clip(model, settings['clip_grad'])
            with torch.no_grad():
                for parameter in model.parameters():
                    if parameter.grad is not None:
                        parameter -= LR * parameter.grad
            sums = {}
        for name, parameter in model.named_parameters():
            kept = (1 - MOMENTUM) * average[name] + MOMENTUM * parameter.detach()
            average[name] = kept if step else parameter.detach().clone()
    return [{name: p.detach() for name, p in model.named_parameters()}, average]


def clip(model, how):
    modules = range(model.plan.modules)
    groups = [[p for module in modules for p in model.module_parameters(module)]]
    if how == 'per_module':
        groups = [model.module_parameters(module) for module in modules]
    for group in groups if how else []:
        torch.nn.utils.clip_grad_norm_(group, MAX_NORM)


def flat(weights):
    return torch.cat([weights[name].flatten() for name in sorted(weights)])


def outcome(settings, rank=0):
    """Return the weights, or the words of a refusal."""
    try:
        return run(settings, rank)
    except (TypeError, ValueError) as refusal:
        return str(refusal)


def outcomes(rank, several):
    return [outcome(settings, rank) for settings in several]


def without(settings, *names):
    return {**settings, **{name: AXES[name][0] for name in names}}


def check(several):
    """Run all; return those that were refused, and why."""
    refused = []
    by_ranks = {ranks: [each for each in several if each['ranks'] == ranks] for ranks in (1, 2)}
    alone = outcomes(0, by_ranks[1])
    first, second = run_ranks(outcomes, by_ranks[2]) if by_ranks[2] else ([], [])
    start, oracle, plain = flat(run_nothing()), {}, {}
    for one, other in zip(first, second, strict=True):
        assert type(one) is type(other)
        if not isinstance(one, str):
            for weights, others in zip(one, other, strict=True):
                assert torch.equal(flat(weights), flat(others)), 'ranks agree'
    for settings, found in zip([*by_ranks[1], *by_ranks[2]], [*alone, *first], strict=True):
        if isinstance(found, str):
            refused.append((settings, found))
            continue
        key = str(without(settings, 'EMA', 'step_per_module', 'recompute'))
        if key not in oracle:
            oracle[key] = expected(settings)
        for weights, wanted in zip(found, oracle[key], strict=False):
            wanted = flat(wanted)
            away = (flat(weights) - wanted).norm() / (wanted - start).norm()
            assert away < TOLERANCE, (settings, away)
        # What only changes when things happen changes no bit.
        same = plain.setdefault(key, found)
        assert torch.equal(flat(same[0]), flat(found[0])), settings
    return refused


def run_nothing():
    return {name: p.detach() for name, p in build().named_parameters()}


def pairs():
    """All settings alone and two by two, the others at their default."""
    default = {name: values[0] for name, values in AXES.items()}
    changes = [(name, value) for name, values in AXES.items() for value in values[1:]]
    return [default, *({**default, name: value} for name, value in changes), *(
        {**default, **dict(pair)} for pair in itertools.combinations(changes, 2)
        if pair[0][0] != pair[1][0])]


def changed(settings):
    return {name: value for name, value in settings.items() if value != AXES[name][0]}


@pytest.fixture(scope='module')
def refused_pairs():
    return {tuple(sorted(changed(settings).items(), key=str)): said
            for settings, said in check(pairs())}


def test_every_two_settings_work_together_or_are_refused(refused_pairs):
    assert refused_pairs and all(len(pair) == 2 for pair in refused_pairs), 'none is refused alone'
    for said in refused_pairs.values():
        assert re.search('leave|add', said), f'no fix: {said}'


@pytest.mark.slow
def test_all_settings_work_together_unless_two_of_them_do_not(refused_pairs):
    refused = check(combinations())
    expected = [settings for settings in combinations() if any(
        all(changed(settings).get(name) == value for name, value in pair)
        for pair in refused_pairs)]
    assert sorted(map(str, expected)) == sorted(str(settings) for settings, _ in refused)


def test_the_page_shows_the_table(refused_pairs):
    page = (ROOT / 'docs/support.md').read_text(encoding='utf-8')
    table = page.split('<!-- made by tests/engine/test_together.py -->')[1].split('<!-- end')[0]
    assert table.strip() == written(refused_pairs), 'the page should hold:\n' + written(
        refused_pairs)


def written(refused_pairs):
    changes = [(name, value) for name, values in AXES.items() for value in values[1:]]

    def label(name, value):
        return f'`{name}={value!r}`' if name in ('precision', 'clip_grad') else (
            f'`{name}={value}`' if value is not True else f'`{name}`')

    def cell(one, other):
        if one[0] == other[0]:
            return ''
        return 'refused' if tuple(sorted((one, other), key=str)) in refused_pairs else 'equal'
    rows = [[label(*one), *(cell(one, other) for other in changes)] for one in changes]
    lines = [['', *(label(*change) for change in changes)], ['---'] * (len(changes) + 1), *rows]
    return '\n'.join('| ' + ' | '.join(line) + ' |' for line in lines)
