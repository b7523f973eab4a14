"""Which failure of several ranks is told, and how it is worded."""
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auglocal_mm.console.ranks.report import Report
from auglocal_mm.console.ranks.verdict import judge
from auglocal_mm.console.told import describe

OWN = Report(1, 5.0, 2, 'model.local: bad', 'own')
LOST = Report(0, 4.0, 1, 'the connection to another rank was lost (x)', 'consequence')
LATE = Report(2, 3.0, 1, 'no answer from the other ranks', 'timeout')
ENDED = Report(3, 2.0, 143, 'interrupted', 'interruption')


@pytest.mark.parametrize('order', itertools.permutations([OWN, LOST, LATE, ENDED]))
def test_a_ranks_own_fault_comes_first_whatever_came_earlier(order):
    verdict = judge(order, {0: 1, 1: 2, 2: 1, 3: -15})
    assert (verdict.status, verdict.line) == (2, 'error: rank 1: model.local: bad')


def test_a_kill_comes_before_what_it_did_to_others():
    verdict = judge([LATE, LOST], {0: 1, 1: -9, 2: 1, 3: -15})
    assert verdict.status == 1
    assert verdict.line.startswith('error: rank 1 was ended by signal 9 (SIGKILL): the system '
                                   'kills like this when memory runs out')


@pytest.mark.parametrize(('codes', 'said'), [
    ({0: -15, 1: -11}, 'rank 1 was ended by signal 11 (SIGSEGV): a crash'),
    ({0: -15, 1: -6}, 'rank 1 was ended by signal 6 (SIGABRT)'),
    ({0: -15}, 'rank 0 was ended by signal 15 (SIGTERM)'),
    ({1: 7}, 'rank 1 ended with exit status 7'),
    ({1: -64}, 'rank 1 was ended by signal 64 (SIGRTMAX)'),
    ({}, 'failed without telling why'),
])
def test_a_rank_that_died_without_a_word(codes, said):
    assert said in judge([], codes).line


def test_a_fault_of_all_ranks_is_told_once_and_of_nobody():
    everyone = [Report(rank, rank, 2, 'no config at x', 'own') for rank in range(4)]
    assert judge(everyone, dict.fromkeys(range(4), 2)).line == 'error: no config at x'
    assert judge(everyone[2:3], {2: 2, 0: -15}).line == 'error: rank 2: no config at x'


def test_an_interruption_is_told_by_the_first_rank():
    told = [Report(1, 1.0, 130, 'interrupted', 'interruption'),
            Report(0, 2.0, 130, 'interrupted in epoch 3', 'interruption')]
    assert judge(told, {0: 130, 1: 130}).line == 'interrupted in epoch 3'


KINDS = ('own', 'timeout', 'consequence', 'interruption')


@given(st.lists(st.tuples(st.floats(0, 10), st.sampled_from(KINDS)), min_size=1, max_size=6))
def test_one_line_always_and_own_faults_before_all_others(ends):
    reports = sorted((Report(rank, time, 1, f'{kind} {rank}', kind)
                      for rank, (time, kind) in enumerate(ends)), key=lambda each: each.time)
    line = judge(reports, {report.rank: 1 for report in reports}).line
    assert line and '\n' not in line
    first = next(report for kind in KINDS for report in reports if report.kind == kind)
    if first.kind != 'interruption':
        assert line.endswith(first.line)


@pytest.mark.parametrize(('text', 'kind'), [
    ('[../gloo/transport/tcp/pair.cc:534] Connection closed by peer [127.0.0.1]:1', 'consequence'),
    ('[/pytorch/third_party/gloo/gloo/transport/tcp/unbound_buffer.cc:78] Timed out waiting '
     '600000ms for recv operation to complete', 'timeout'),
    ('Socket Timeout', 'timeout'),
    ('NCCL error in: ProcessGroupNCCL.cpp, remote process exited', 'consequence'),
    ('Timed out after 601 seconds waiting for clients. 1/2 clients joined. (TCPStore)', 'timeout'),
    ('shape [3] is invalid for input of size 4', 'own'),
])
def test_what_another_rank_caused_is_recognised(text, kind, monkeypatch):
    monkeypatch.setenv('RANK', '0')
    monkeypatch.setenv('AUGLOCAL_TIMEOUT_MINUTES', '10')
    fault = describe(RuntimeError(text))
    assert fault.kind == kind
    assert ('within 10 minutes, the limit that --timeout sets' in fault.line) == (
        kind == 'timeout')
    monkeypatch.delenv('RANK')
    assert describe(RuntimeError(text)).kind == 'own'
