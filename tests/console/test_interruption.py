"""No signal is lost where Python ignores exceptions."""
import gc
import os
import signal
import sys
import time
import weakref

import pytest

from auglocal_mm.console.told.interruption import Interruption


class Ending:
    """Is interrupted while it is destroyed."""

    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(3):  # Python looks for signals here.
            pass


def forget():
    ending = Ending()
    del ending


def in_logging():
    """Be interrupted as logging's functions are, which Python calls at a fork."""
    exec('os.kill(os.getpid(), 15)\nfor _ in range(3): pass', {'__name__': 'logging', 'os': os})


def be_interrupted(*_):
    os.kill(os.getpid(), signal.SIGTERM)
    for _ in range(3):
        pass


def weak_reference():
    ending = type('Plain', (), {})()
    reference = weakref.ref(ending, be_interrupted)
    del ending
    return reference


def collection():
    gc.callbacks.append(once := lambda phase, info: phase == 'start' and be_interrupted())
    try:
        gc.collect()
    finally:
        gc.callbacks.remove(once)


def test_a_signal_while_an_ignored_exception_is_told_comes_again(monkeypatch, capfd):
    monkeypatch.setattr(sys, 'unraisablehook', be_interrupted)
    with Interruption() as interruption:
        ending = type('Plain', (), {})()
        reference = weakref.ref(ending, lambda _: 1 / 0)
        del ending
        assert reference() is interruption.received is None
        with pytest.raises(KeyboardInterrupt):
            time.sleep(10)
    assert interruption.status == 128 + signal.SIGTERM
    assert capfd.readouterr() == ('', '')


@pytest.mark.parametrize('place', [forget, in_logging, weak_reference, collection])
def test_a_signal_where_python_ignores_exceptions_comes_again(place, capfd):
    before = sys.unraisablehook
    with Interruption() as interruption:
        place()
        assert interruption.received is None
        with pytest.raises(KeyboardInterrupt):
            time.sleep(10)
    assert interruption.status == 128 + signal.SIGTERM
    assert sys.unraisablehook is before
    assert capfd.readouterr() == ('', ''), 'nobody is told what was ignored'


def test_other_exceptions_that_python_ignores_are_told(monkeypatch):
    told = []
    monkeypatch.setattr(sys, 'unraisablehook', told.append)
    with Interruption():
        ending = type('Plain', (), {})()
        reference = weakref.ref(ending, lambda _: 1 / 0)
        del ending
    assert reference() is None
    assert [each.exc_type for each in told] == [ZeroDivisionError]
