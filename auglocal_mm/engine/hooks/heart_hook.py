"""Tells the heart of a rank what it has finished, and where its log is."""
from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from auglocal_mm.console.ranks.heart import heart
from auglocal_mm.console.told.runs import log_file


class HeartHook(Hook):
    """Counts each batch that was trained, validated or tested."""

    priority = 'LOWEST'

    def _after_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        # mmengine calls it after each batch of every loop.
        heart.acted()


def tell_heart(runner: Runner) -> None:
    """Let a runner tell the heart of this rank."""
    runner.register_hook(HeartHook())
    path = log_file(runner)
    heart.log = '' if path is None else str(path.resolve())
