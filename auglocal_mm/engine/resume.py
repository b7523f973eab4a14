"""Finds the checkpoint that ``--resume`` without a path continues from."""
from __future__ import annotations

import os.path as osp
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config
from mmengine.hooks import CheckpointHook as HostCheckpointHook
from mmengine.registry import HOOKS

from auglocal_mm.checkpoints import CheckpointError, read_checkpoint, require_training_state
from auglocal_mm.config.named import means

from .hooks.checkpoint_hook import POINTER


@dataclass(frozen=True)
class Found:
    """The checkpoint to continue from, and what was newer but could not be used."""
    path: str | None
    passed_over: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [f'passed over {each}' for each in self.passed_over]
        start = f'Resumes from {self.path}' if self.path else (
            'There is no checkpoint to resume; the run starts from the beginning')
        return '; '.join([start, *lines]) + '.'


def find_resumable(cfg: Config) -> Found:
    """Return the newest whole checkpoint of the run's own folder.

    ``last_checkpoint`` names the newest file, but neither its content nor its being
    there is relied on: a folder may have been copied or moved, or its run killed by a
    version that wrote files in place.

    Raises:
        CheckpointError: There are checkpoints, but none can be continued from.
    """
    passed_over = []
    for path in _newest_first(cfg):
        try:
            content = read_checkpoint(path)
            require_training_state(content, path)
        except CheckpointError as error:
            passed_over.append(str(error))
        else:
            return Found(str(path), tuple(passed_over))
    if passed_over:
        raise CheckpointError(
            f'none of the {len(passed_over)} checkpoints in {checkpoint_folder(cfg)} can be '
            f'resumed: {"; ".join(passed_over)}. Give another by --resume PATH, or leave --resume '
            'out to start again')
    return Found(None)


def checkpoint_folder(cfg: Config) -> Path:
    """Return where the config's ``CheckpointHook`` puts its files."""
    out_dir = _hook(cfg).get('out_dir')
    if out_dir is None or str(out_dir) == cfg.work_dir:
        return Path(cfg.work_dir)
    return Path(out_dir) / osp.basename(osp.abspath(cfg.work_dir))


def _hook(cfg: Config) -> dict:
    """Return the settings of the hook that saves checkpoints."""
    hooks = [*(cfg.get('default_hooks') or {}).values(), *(cfg.get('custom_hooks') or [])]
    scope = cfg.get('default_scope')
    return next((hook for hook in hooks if isinstance(hook, dict)
                 and means(hook.get('type'), HostCheckpointHook, HOOKS, scope=scope)), {})


def _newest_first(cfg: Config) -> Iterator[Path]:
    """Yield the folder's checkpoints: newer than the named one, the named one, then older ones.

    Newer is a later step saved later. A file with a later step that was saved earlier
    is from another run in the same folder, and comes last.
    """
    folder = checkpoint_folder(cfg)
    steps = {path: step for path in folder.glob('*.pth')
             if path.is_file() and (step := _step(path.name, cfg)) is not None}
    by_step = sorted(steps, key=lambda path: (steps[path], path.stat().st_mtime_ns), reverse=True)
    named = folder / _named(Path(cfg.work_dir) / POINTER)
    if not named.is_file():
        yield from by_step
        return
    step, saved = steps.get(named, -1), named.stat().st_mtime_ns
    newer = [path for path in by_step if steps[path] > step and path.stat().st_mtime_ns >= saved
             and step >= 0]
    older = [path for path in by_step if steps[path] < step]
    yield from newer
    yield named
    yield from older
    yield from (path for path in by_step if path not in {*newer, named, *older})


def _step(name: str, cfg: Config) -> int | None:
    """Return the epoch or iteration in the name of a file that the hook saved."""
    # Without a template of its own, mmengine's hook uses one of the other two.
    for template in (_hook(cfg).get('filename_tmpl'), 'epoch_{}.pth', 'iter_{}.pth'):
        if template:
            before, _, after = str(template).partition('{}')
            match = re.fullmatch(re.escape(before) + r'(\d+)' + re.escape(after), name)
            if match:
                return int(match[1])
    return None


def _named(pointer: Path) -> str:
    """Return the name of the file that ``last_checkpoint`` names, whatever folder it says."""
    try:
        # A file that was written in place may hold zeros after a crash of the machine.
        text = pointer.read_bytes().decode(errors='replace').strip().strip('\0')
    except OSError:
        return '.'  # names no file
    return osp.basename(text.rstrip('/')) or '.'
