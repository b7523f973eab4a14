"""Memory and time of training steps: several configs take turns."""
from .counting import Counted, count_memory, counted_json
from .entry import Entry, config_entries
from .memory_table import memory_markdown
from .presets import PRESETS, preset_entries
from .row import Row
from .run import benchmark, make_folder, to_json, write_benchmark, write_counts
from .settings import Settings, default_device
from .table import markdown

__all__ = ['PRESETS', 'Counted', 'Entry', 'Row', 'Settings', 'benchmark', 'config_entries',
           'count_memory', 'counted_json', 'default_device', 'make_folder', 'markdown',
           'memory_markdown', 'preset_entries', 'to_json', 'write_benchmark', 'write_counts']
