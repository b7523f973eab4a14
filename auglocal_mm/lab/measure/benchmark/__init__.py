"""Memory and time of training steps: several configs take turns, as for Table 2."""
from .entry import TABLE2, Entry, config_entries, table2_entries
from .row import Row
from .run import benchmark, make_folder, to_json, write_benchmark
from .settings import Settings, default_device
from .table import markdown

__all__ = ['TABLE2', 'Entry', 'Row', 'Settings', 'benchmark', 'config_entries', 'default_device',
           'make_folder', 'markdown', 'table2_entries', 'to_json', 'write_benchmark']
