"""Saves checkpoints so that a whole one stands at any moment."""
from __future__ import annotations

import os.path as osp
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend, get_file_backend
from mmengine.hooks import CheckpointHook as HostCheckpointHook
from mmengine.runner import Runner

from auglocal_mm.checkpoints.literal_config import read_literal_config
from auglocal_mm.checkpoints.plain import plain
from auglocal_mm.checkpoints.plain_config import recorded_text
from auglocal_mm.checkpoints.write import remove_abandoned, write_text
from auglocal_mm.engine.whole_files import NAME as WHOLE_FILES
from auglocal_mm.registry import HOOKS

from .pipeline_hooks import whole_weights
from .random_state_hook import RandomStateHook

POINTER = 'last_checkpoint'


@HOOKS.register_module()
class CheckpointHook(HostCheckpointHook):
    """mmengine's ``CheckpointHook``, with files that survive a kill and a full disk.

    A checkpoint is written beside its name, flushed and renamed. An old one, the
    best one included, is removed only after the new one stands and
    ``last_checkpoint`` names it. Before each checkpoint, ``RandomStateHook`` takes
    what an exact resume needs. A run that continues in a copied or moved folder keeps
    to that folder.

    With an ``out_dir`` that is not on a local disk, with ``backend_args`` or
    ``file_client_args``, mmengine's backend writes the files; the order of writing
    and removing is ours. Arguments and call order are mmengine's.

    Raises:
        CheckpointError: A file cannot be written. All old files are still there.
    """

    file_backend: Any
    backend_args: dict[str, Any] | None
    best_ckpt_path: str | None

    @classmethod
    def of_host(cls, hook: HostCheckpointHook) -> CheckpointHook:
        """Return a hook with the settings of one of mmengine's that has not run yet."""
        # Not constructed: a hook keeps what it made of its arguments, not the arguments.
        ours = cls.__new__(cls)
        ours.__dict__.update(hook.__dict__)
        return ours

    def before_train(self, runner: Runner) -> None:
        """Choose where and how to write; tidy up what a killed run left half written."""
        place = self.out_dir or runner.work_dir
        if self.backend_args is None and self.file_client_args is None and (
                type(get_file_backend(place)) is LocalBackend):
            # mmengine's before_train makes its file backend of them.
            self.backend_args = {'backend': WHOLE_FILES}
        self._require_plain_meta(runner)
        # Before mmengine's, which removes checkpoints that are no longer kept.
        self._name_resumed(runner)
        super().before_train(runner)
        # After mmengine's, which asks the message hub for the best checkpoint's path.
        self._keep_to_own_folder(runner)
        if is_main_process():
            for folder in {runner.work_dir, str(self.out_dir)}:
                if osp.isdir(folder):
                    remove_abandoned(Path(folder))

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Convert what :func:`~auglocal_mm.checkpoints.read_checkpoint` would refuse."""
        faults: list[str] = []
        for key, value in checkpoint.items():
            if key not in ('state_dict', 'ema_state_dict'):
                checkpoint[key] = plain(value, key, faults)
        meta = checkpoint['meta']
        try:
            read_literal_config(meta['cfg'])
        except ValueError:
            meta['cfg'] = recorded_text(runner.cfg)
        if faults:
            # Nothing is lost for a part that only some hook needs; the weights are saved.
            runner.logger.warning(f'The checkpoint holds text in place of {"; ".join(faults)}.')

    @staticmethod
    def _require_plain_meta(runner: Runner) -> None:
        """Refuse meta information of the data set that a checkpoint could not hold."""
        faults: list[str] = []
        plain(getattr(runner.train_dataloader.dataset, 'metainfo', None), 'dataset_meta', faults)
        if faults:
            raise ValueError(f'{"; ".join(faults)}: a checkpoint could not hold this. Give the '
                             "data set's metainfo numbers, strings, lists and dicts only")

    def _name_resumed(self, runner: Runner) -> None:
        """Let ``last_checkpoint`` name the file that is resumed, if it is this folder's.

        A run that was killed between saving and naming left an older name. That file may be
        removed soon.
        """
        if not (runner._resume and runner._load_from):
            return
        resumed = Path(runner._load_from).absolute()
        folder = Path(runner.work_dir)
        if self.out_dir is not None and str(self.out_dir) != runner.work_dir:
            # mmengine's before_train appends this name, but it has not run yet.
            folder = Path(self.out_dir).absolute() / folder.name
        if resumed.parent == folder and is_main_process():
            write_text(str(resumed), Path(runner.work_dir) / POINTER)

    def _keep_to_own_folder(self, runner: Runner) -> None:
        """Point to this run's files: a checkpoint names those of the folder it was saved in."""
        for key in list(runner.message_hub.runtime_info):
            path = runner.message_hub.get_info(key)
            if isinstance(path, str) and (key == 'last_ckpt' or key.startswith('best_ckpt')):
                runner.message_hub.update_info(key, self._here(path))
        if getattr(self, 'best_ckpt_path', None):
            self.best_ckpt_path = self._here(str(self.best_ckpt_path))
        best = getattr(self, 'best_ckpt_path_dict', {})
        best.update({key: self._here(path) for key, path in best.items() if path})

    def _here(self, path: str) -> str:
        return str(self.file_backend.join_path(self.out_dir, osp.basename(path)))

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict[str, Any]) -> None:
        """Save, name the new checkpoint in ``last_checkpoint``, then remove outdated ones."""
        # The states of all ranks are gathered here: mmengine calls the hooks of saving on the
        # first rank alone.
        for hook in runner.hooks:
            if isinstance(hook, RandomStateHook):
                hook.take(runner, iterations=meta['iter'])
        outdated = self._list_step(runner, step)
        name = self.filename_tmpl.format(step)
        self.last_ckpt = self.file_backend.join_path(self.out_dir, name)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)
        with whole_weights(runner):
            runner.save_checkpoint(
                self.out_dir, name, self.file_client_args, save_optimizer=self.save_optimizer,
                save_param_scheduler=self.save_param_scheduler, meta=meta,
                by_epoch=self.by_epoch, backend_args=self.backend_args, **self.args)
        if is_main_process():
            write_text(str(self.last_ckpt), Path(runner.work_dir) / POINTER)
        for old in outdated:
            self._remove(self.file_backend.join_path(self.out_dir, self.filename_tmpl.format(old)))
        if outdated:
            runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))

    def _list_step(self, runner: Runner, step: int) -> list[int]:
        """Add a step to those that are kept, and return those to remove.

        The new checkpoint's list still has them. A run that is killed before it
        removes them does so when it resumes.
        """
        if self.max_keep_ckpts <= 0 or (self.keep_ckpt_ids and self.keep_ckpt_ids[-1] == step):
            return []
        listed = [*(each for each in self.keep_ckpt_ids if each != step), step]
        runner.message_hub.update_info('keep_ckpt_ids', listed)
        self.keep_ckpt_ids.clear()
        self.keep_ckpt_ids.extend(listed)  # mmengine's deque drops those beyond its length.
        return listed[:-self.max_keep_ckpts]

    def _save_best_checkpoint(self, runner: Runner, metrics: dict[str, Any]) -> None:
        """Save the best checkpoint; remove the one that was best after the new one stands."""
        if not self.save_best:
            return
        # mmengine removes the old one first, by its file backend.
        backend, later = self.file_backend, _RemoveLater(self.file_backend)
        self.file_backend = later
        try:
            with whole_weights(runner):
                super()._save_best_checkpoint(runner, metrics)
        finally:
            self.file_backend = backend
        best = [getattr(self, 'best_ckpt_path', None),
                *getattr(self, 'best_ckpt_path_dict', {}).values()]
        for path in later.paths:
            # A resumed run may have saved the best one once more, under the same name.
            if path not in best:
                self._remove(path)

    def _remove(self, path: str) -> None:
        if is_main_process():
            if self.file_backend.isfile(path):
                self.file_backend.remove(path)
            elif self.file_backend.isdir(path):
                self.file_backend.rmtree(path)  # DeepSpeed saves folders.


class _RemoveLater:
    """A file backend that notes what to remove."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self.paths: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def remove(self, path: str) -> None:
        self.paths.append(path)

    rmtree = remove
