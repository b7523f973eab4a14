"""No signal is lost where Python ignores exceptions."""
import os
import signal
import time

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


@pytest.mark.parametrize('place', [forget, in_logging])
def test_a_signal_in_a_destructor_or_in_logging_comes_again(place):
    with Interruption() as interruption:
        place()
        assert interruption.received is None
        with pytest.raises(KeyboardInterrupt):
            time.sleep(10)
    assert interruption.status == 128 + signal.SIGTERM
