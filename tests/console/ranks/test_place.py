"""Where a thread stands, and what it waits for there."""
import importlib
import queue
import socket
import threading
import time

import pytest

from auglocal_mm.console.ranks import place
from auglocal_mm.console.ranks.place import place_of
from auglocal_mm.execution.pipeline import Inbox


def standing(wait):
    """Return two places of a thread that waits."""
    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    found = [place_of(thread.ident)]
    while len(found) < 2 or found[-1] != found[-2]:
        time.sleep(0.02)
        found.append(place_of(thread.ident))
    return found[-1]


def receiving():
    one, other = socket.socketpair()
    with one, other, one.makefile('rb') as file:
        file.read(1)


@pytest.mark.parametrize(('wait', 'what', 'where'), [
    (lambda: time.sleep(5), '', '<lambda> (test_place.py:'),
    (lambda: queue.Queue().get(), '', 'wait (threading.py:'),
    (Inbox(lambda: time.sleep(5)).take, 'other ranks', 'called from take (pipeline.py:'),
    (receiving, 'the network', 'called from receiving (test_place.py:'),
])
def test_what_a_thread_waits_for(wait, what, where):
    found = standing(wait)
    assert found.waits == what
    assert where in found.where


def test_what_is_named_is_there():
    for names in place._WAITS.values():
        for name in names:
            if name.startswith('auglocal_mm'):
                importlib.import_module(name)


def test_a_thread_that_has_ended_is_nowhere():
    assert place_of(-1).where == 'at its end'
