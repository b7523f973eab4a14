"""Memory and time of training steps: several configs take turns."""
from .entry import Entry, config_entries
from .presets import PRESETS, preset_entries
from .row import Row
from .run import benchmark, make_folder, to_json, write_benchmark
from .settings import Settings, default_device
from .table import markdown

__all__ = ['PRESETS', 'Entry', 'Row', 'Settings', 'benchmark', 'config_entries',
           'default_device', 'make_folder', 'markdown', 'preset_entries', 'to_json',
           'write_benchmark']
