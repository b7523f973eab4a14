"""Tells what of the stack is installed, what works, and how to repair the rest."""
from .facts import Facts, collect
from .judgement import Problem, judge
from .report import main, render

__all__ = ['Facts', 'Problem', 'collect', 'judge', 'main', 'render']
