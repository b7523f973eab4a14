"""What a tool tells when it fails: one line, its exit status, and where the rest is."""
from .fault import Fault, describe
from .line import one_line

__all__ = ['Fault', 'describe', 'one_line']
