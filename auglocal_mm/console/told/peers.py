"""Errors of one rank that another rank caused: a lost connection, or no answer in time."""
from __future__ import annotations

import os
import re

from .frames import chain, frames, module_of

#: Minutes after which ranks stop waiting for each other, for the message.
MINUTES = 'AUGLOCAL_TIMEOUT_MINUTES'
_PEERS = re.compile(
    r'gloo|nccl|c10d|TCPStore|ProcessGroup|Broken pipe|Connection (closed|reset|refused)'
    r'|recvValue|socket|store->|rendezvous|remote (process|peer)', re.IGNORECASE)
_TIME = re.compile(r'time[ -]?d?[ -]?out|timed out', re.IGNORECASE)


def is_of_peers(error: BaseException) -> bool:
    """Tell whether another rank is the reason, in a process that is a rank."""
    if 'RANK' not in os.environ:
        return False
    kinds = {kind.__name__ for each in chain(error) for kind in type(each).__mro__}
    if kinds & {'DistError', 'DistBackendError', 'DistNetworkError', 'DistStoreError'}:
        return True
    if not isinstance(error, (RuntimeError, ConnectionError)):
        return False
    communicates = any(module_of(frame).startswith('torch.distributed')
                       for frame in frames(error))
    return communicates or bool(_PEERS.search(str(error)))


def is_timeout(error: BaseException) -> bool:
    """Tell whether an error of :func:`is_of_peers` is a time-out."""
    return bool(_TIME.search(str(error)))


def describe_peers(error: BaseException) -> str:
    """Say in one line that another rank was lost, or did not answer."""
    first = str(error).strip().partition('\n')[0]
    if is_timeout(error):
        return (f'no answer from the other ranks within {os.environ.get(MINUTES, "some")} minutes, '
                'the limit that --timeout sets: a rank hangs, or is that much slower; see what it '
                f'was doing, or raise --timeout ({first})')
    return f'the connection to another rank was lost ({first})'
