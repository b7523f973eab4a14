"""The table and the comparison of two surveys, from made results."""
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auglocal_mm.lab.measure.families.comparison import differences
from auglocal_mm.lab.measure.families.table import markdown

VALUES = st.floats(1e-3, 1e3)


def row(name, *, causes=None, losses=((1.0, 0.5),), gradients=(1.0,), operators=()):
    return {
        'name': name, 'config': f'{name}/{name}_r50.py', 'seconds': 3.4,
        'causes': {'build': '', 'train': '', 'predict': '', **(causes or {})},
        'operators': dict.fromkeys(operators, 1),
        'losses': [{'loss': total, 'loss_cls': part, 'acc': 50.0} for total, part in losses],
        'gradients': {f'part{n}': norm for n, norm in enumerate(gradients)}}


def result(*rows, operators='torchvision'):
    return {'operators': operators, 'versions': {'torch': '2.11.0'},
            'hardware': {'cpu': 'a processor'}, 'families': list(rows)}


def cells(text, name):
    rows = [[cell.strip() for cell in line.strip('|').split('|')] for line in text.splitlines()]
    return next(row for row in rows if row[0] == name)


def test_a_line_says_what_passed_and_which_operators_were_called():
    text = markdown(result(row('fcos', operators=[
        'nms', 'roi_align_forward', 'roi_align_backward', 'deform_conv_backward_input',
        'deform_conv_backward_parameters', 'masked_im2col_forward'])))
    assert cells(text, 'fcos') == ['fcos', '`fcos_r50`',
                                   'deform_conv, masked_im2col, nms, roi_align',
                                   'yes', 'yes', 'yes', '3']
    assert 'Failures' not in text
    assert "torchvision's operators" in text and 'torch 2.11.0' in text and 'a processor' in text


def test_failures_stand_below_with_their_cause_once():
    text = markdown(result(
        row('a'), row('b', causes={'train': 'ValueError: no', 'predict': 'ValueError: no'}),
        {'name': 'c', 'config': 'c.py', 'causes': {'build': 'ended after 1 s'}}))
    assert cells(text, 'b')[3:6] == ['yes', '**no**', '**no**']
    assert cells(text, 'c')[2:6] == ['none', '**no**', '**no**', '**no**']
    assert text.splitlines()[-2:] == ['- b (train, predict): ValueError: no',
                                      '- c (build): ended after 1 s']
    assert '3 families: 2 builds, 1 trains, 1 predicts' in text


def test_a_comparison_is_one_more_column():
    ours = result(row('a', losses=[(1.0, 0.5), (0.8, 0.4)]), row('b'), row('c'))
    theirs = result(row('a', losses=[(1.0, 0.5), (0.8, 0.3)]), row('b'), operators='compiled')
    text = markdown(ours, theirs)
    assert [cells(text, name)[-1] for name in 'abc'] == ['3e-01', '0', '–']
    assert "Compared with: mmcv's compiled operators" in text


@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=3),
       st.lists(VALUES, min_size=1, max_size=3), st.floats(-0.5, 0.5))
def test_a_common_factor_is_the_difference_and_both_ways_the_same(losses, gradients, change):
    factor = 1 + change
    here = result(row('a', losses=losses, gradients=gradients))
    there = result(row('a', losses=[(t * factor, p * factor) for t, p in losses],
                       gradients=[each * factor for each in gradients]))
    expected = abs(change) / max(1, factor)
    assert differences(here, there)['a'] == pytest.approx(expected, abs=1e-9)
    assert differences(here, here) == {'a': 0.0}
    assert differences(here, there)['a'] == pytest.approx(differences(there, here)['a'])


def test_accuracies_do_not_count_and_tiny_losses_count_by_the_total():
    here, there = (result(row('a', losses=[(1.0, tiny)])) for tiny in (1e-9, 2e-9))
    there['families'][0]['losses'][0]['acc'] = 0.0
    assert differences(here, there)['a'] == pytest.approx(1e-6)


def test_a_loss_that_one_run_lacks_is_no_agreement():
    here, there = result(row('a')), result(row('a'))
    del there['families'][0]['losses'][0]['loss_cls']
    assert differences(here, there) == {'a': float('inf')}
    assert differences(there, here) == {'a': float('inf')}
