"""Checkpoints that try to run code, each leaving a trace: a folder that appears."""
from __future__ import annotations

import builtins
import functools
import importlib
import io
import os
import pickle
import subprocess
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer


class Reduced:
    """An object whose pickle calls a function."""

    def __init__(self, function, *arguments, state=None):
        self.reduced = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self):
        return self.reduced


def objects(trace: Path) -> dict[str, Any]:
    """Objects that would make the folder `trace`, or worse, when they are unpickled."""
    text = f'__import__("os").mkdir({str(trace)!r})'
    script = trace.with_suffix('.py')
    script.write_text(f'import os\nos.mkdir({str(trace)!r})\n')
    return {
        'mkdir': Reduced(os.mkdir, str(trace)),
        'makedirs': Reduced(os.makedirs, str(trace)),
        'system': Reduced(os.system, f'mkdir "{trace}"'),
        'exec': Reduced(builtins.exec, text),
        'eval': Reduced(builtins.eval, text),
        'compile': Reduced(builtins.eval, Reduced(builtins.compile, text, 'x', 'eval')),
        'popen': Reduced(subprocess.check_call, ['mkdir', str(trace)]),
        'import': Reduced(importlib.import_module, 'this'),
        'partial': Reduced(functools.partial, os.mkdir, str(trace)),
        'getattr': Reduced(getattr, Reduced(importlib.import_module, 'os'), 'mkdir'),
        'getattr of dict': Reduced(getattr, dict, 'fromkeys'),
        'getattr of a history': Reduced(getattr, HistoryBuffer, 'register_statistics'),
        'open': Reduced(builtins.open, str(trace), 'w'),
        'path': Reduced(Path, str(trace)),
        'config': Reduced(Config.fromfile, str(script)),
        'torch.load': Reduced(torch.load, str(script)),
        'torch.hub': Reduced(torch.hub.load, str(trace.parent), 'x'),
        'object array': np.array([Reduced(os.mkdir, str(trace))], dtype=object),
        'structured array': np.zeros(2, dtype=[('a', 'O')]),
        'object number': Reduced(np.zeros(1).dtype.type, Reduced(os.mkdir, str(trace))),
        'dtype with state': Reduced(np.dtype, 'f8', False, True, state=(
            3, '|', (np.dtype('O'), (1,)), None, None, 8, 1, 0)),
        'array of pointers': Reduced(
            np.zeros(0).__reduce__()[0], np.ndarray, (0,), b'b',
            state=(1, (1,), Reduced(np.dtype, 'O'), False, b'\0' * 8)),
        'dict with attributes': Reduced(OrderedDict, state={'get': Reduced(os.mkdir, str(trace))}),
        'module': torch.nn.Linear(1, 1),
        'optimizer': torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0),
    }


PLACES = ('state_dict', 'optimizer', 'message_hub', 'meta', 'random_states', 'param_schedulers')


def content(place: str, payload: Any) -> dict[str, Any]:
    """A checkpoint like a runner's, with a payload somewhere in it."""
    whole: dict[str, Any] = {
        'state_dict': {'backbone.conv.weight': torch.zeros(1)},
        'optimizer': {'state': {}, 'param_groups': []},
        'message_hub': {'log_scalars': {}, 'runtime_info': {}, 'resumed_keys': {}},
        'meta': {'epoch': 1, 'iter': 1}, 'random_states': {}, 'param_schedulers': []}
    if isinstance(whole[place], list):
        whole[place].append(payload)
    else:
        whole[place]['payload'] = payload
    return whole


def by_hand(*operations: bytes) -> bytes:
    """An archive as torch writes it, around a pickle of these operations."""
    empty = io.BytesIO()
    torch.save({}, empty)
    made = io.BytesIO()
    with zipfile.ZipFile(empty) as source, zipfile.ZipFile(made, 'w') as target:
        for info in source.infolist():
            data = source.read(info)
            target.writestr(info, b''.join(operations) if info.filename.endswith('data.pkl')
                            else data)
    return made.getvalue()


def global_of(name: str) -> bytes:
    module, _, attribute = name.rpartition('.')
    return pickle.GLOBAL + f'{module}\n{attribute}\n'.encode()


def text(value: str) -> bytes:
    return pickle.BINUNICODE + len(value).to_bytes(4, 'little') + value.encode()


def crafted(trace: Path) -> dict[str, bytes]:
    """Files whose pickle no honest program writes."""
    begin, end = pickle.PROTO + b'\x02', pickle.STOP
    call = pickle.TUPLE1 + pickle.REDUCE
    command = text(f'mkdir "{trace}"')
    files = {
        f'global {name}': by_hand(begin, global_of(name), command, call, end)
        for name in ('posix.system', 'os.system', 'builtins.eval', '__builtin__.eval',
                     'builtins.exec', 'runpy.run_path', 'pickle.loads', 'torch.jit.load',
                     'numpy.load', 'mmengine.config.config.Config.fromstring',
                     'auglocal_mm.checkpoints.read.read_checkpoint',
                     'torch.storage._load_from_bytes')}
    files['new object'] = by_hand(begin, global_of('subprocess.Popen'), command, pickle.TUPLE1,
                                  pickle.NEWOBJ, end)
    files['contains itself'] = by_hand(begin, pickle.EMPTY_LIST, pickle.BINPUT + b'\0',
                                       pickle.BINGET + b'\0', pickle.APPEND, end)
    files['nested'] = by_hand(begin, pickle.EMPTY_LIST * 5000, pickle.APPEND * 4999, end)
    files['huge'] = by_hand(begin, global_of('builtins.bytearray'),
                            pickle.LONG1 + b'\x06' + b'\xff' * 5 + b'\x7f', call, end)
    files['no end'] = by_hand(begin, pickle.EMPTY_DICT)
    files['persistent'] = by_hand(begin, text('x'), pickle.BINPERSID, end)
    files['plain pickle'] = pickle.dumps(Reduced(os.mkdir, str(trace)))
    files['script'] = _scripted()
    return files


def _scripted() -> bytes:
    """A TorchScript archive, which ``torch.load`` would hand to another loader."""
    made = io.BytesIO()
    torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), made)
    return made.getvalue()

