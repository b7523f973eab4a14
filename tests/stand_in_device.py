"""A CPU that stands in for an accelerator: its streams note what is asked of them."""
import threading
from functools import partial

import torch

from auglocal_mm.execution import device_link, messages


class Device:
    """Notes what is asked of a device, by which thread."""

    def __init__(self):
        self.notes = []
        self.Stream = lambda device: Stream(self, 'side')

    def note(self, what):
        self.notes.append((what, threading.current_thread().name))

    def current_stream(self, device):
        return Stream(self, 'training')

    def stream(self, stream):
        return torch.no_grad()  # any context

    def set_device(self, device):
        self.note(f'set {device}')


class Stream:
    def __init__(self, device, name):
        self.device, self.name = device, name

    def record_event(self):
        self.device.note(f'{self.name} records')
        return f'event of {self.name}'

    def wait_event(self, event):
        self.device.note(f'{self.name} waits for {event}')

    def synchronize(self):
        self.device.note(f'{self.name} is awaited')


def use(monkeypatch):
    """Make links take the CPU for a device with streams; return what notes their requests."""
    device = Device()
    monkeypatch.setattr(device_link.torch, 'get_device_module', lambda _: device)
    monkeypatch.setattr(torch.Tensor, 'record_stream',
                        lambda tensor, stream: device.note(f'kept for {stream.name}'))
    # Whatever is sent is on the device.
    monkeypatch.setattr(messages, '_on_device', lambda tensor: True)
    for name, said in (('send', 'put'), ('recv', 'get')):
        monkeypatch.setattr(device_link.dist, name, partial(
            _noting, getattr(device_link.dist, name), device, said))
    return device


def _noting(function, device, said, values, **options):
    device.note(f'{said} {values.numel()}')
    return function(values, **options)
