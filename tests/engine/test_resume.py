"""Which checkpoint ``--resume`` finds, and in which folder."""
import errno
import os
import shutil

import pytest
import torch
from digit_runs import config, train
from mmengine.config import Config
from mmengine.fileio import LocalBackend

from auglocal_mm.checkpoints import CheckpointError, read_checkpoint
from auglocal_mm.engine.resume import find_resumable


def save(path, *, saved=None, **changes):
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({
        'state_dict': {'a': torch.zeros(9)}, 'meta': {'epoch': 1, 'iter': 1},
        'optimizer': {'state': {}, 'param_groups': []},
        'message_hub': {'log_scalars': {}, 'runtime_info': {}, 'resumed_keys': {}},
        **changes}, path)
    if saved is not None:
        os.utime(path, (saved, saved))


def cut(path):
    path.write_bytes(path.read_bytes()[:-200])


def damage(path):
    content = bytearray(path.read_bytes())
    content[content.index(b'\0' * 30) + 5] ^= 1
    path.write_bytes(content)


def found(folder, **hook):
    return find_resumable(Config({
        'work_dir': str(folder), 'default_scope': 'mmpretrain',
        'default_hooks': {'checkpoint': {'type': 'CheckpointHook', **hook}}}))


@pytest.mark.parametrize('pointer', [
    None, '', '\0\0\0', 'epoch_10.pth', '/somewhere/else/epoch_10.pth', '/somewhere/gone.pth',
    'epoch_9.pth', '\xff'])
def test_the_newest_file_is_found_whatever_last_checkpoint_says(pointer, tmp_path):
    for epoch in (8, 9, 10):
        save(tmp_path / f'epoch_{epoch}.pth', saved=1000 + epoch)
    if pointer is not None:
        (tmp_path / 'last_checkpoint').write_text(pointer, encoding='latin-1')
    assert found(tmp_path).path == str(tmp_path / 'epoch_10.pth')


@pytest.mark.parametrize('harm', [cut, damage, lambda path: path.write_bytes(b''),
                                  lambda path: save(path, optimizer=[])])
def test_files_that_are_not_whole_are_passed_over_and_named(harm, tmp_path):
    for epoch in (1, 2, 3):
        save(tmp_path / f'epoch_{epoch}.pth', saved=epoch)
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_3.pth'))
    harm(tmp_path / 'epoch_3.pth')
    harm(tmp_path / 'epoch_2.pth')
    result = found(tmp_path)
    assert result.path == str(tmp_path / 'epoch_1.pth') and len(result.passed_over) == 2
    assert 'epoch_3.pth' in str(result) and 'epoch_2.pth' in str(result)
    assert '\n' not in str(result)


def test_files_of_which_none_is_whole_are_an_error_that_names_them(tmp_path):
    save(tmp_path / 'epoch_1.pth')
    cut(tmp_path / 'epoch_1.pth')
    torch.save({'state_dict': {'a': torch.zeros(1)}}, tmp_path / 'epoch_2.pth')
    with pytest.raises(CheckpointError) as refused:
        found(tmp_path)
    message = str(refused.value)
    assert 'epoch_1.pth is damaged' in message
    assert 'epoch_2.pth cannot be resumed: it holds no meta, optimizer' in message
    assert '--resume PATH' in message and '\n' not in message


def test_nothing_at_all_is_a_fresh_start(tmp_path):
    for folder in (tmp_path / 'missing', tmp_path):
        result = found(folder)
        assert result.path is None and 'starts from the beginning' in str(result)


def test_a_later_step_that_was_saved_before_belongs_to_another_run(tmp_path):
    save(tmp_path / 'epoch_9.pth', saved=1)
    save(tmp_path / 'epoch_2.pth', saved=2)
    save(tmp_path / 'epoch_3.pth', saved=3)
    (tmp_path / 'last_checkpoint').write_text('epoch_2.pth')
    # Killed between the file and its name in last_checkpoint.
    assert found(tmp_path).path == str(tmp_path / 'epoch_3.pth')


def test_other_folders_and_names_of_the_hook(tmp_path):
    save(tmp_path / 'out' / 'run' / 'step-7.pth')
    save(tmp_path / 'run' / 'epoch_1.pth')
    place = {'out_dir': str(tmp_path / 'out'), 'filename_tmpl': 'step-{}.pth'}
    assert found(tmp_path / 'run', **place).path == str(tmp_path / 'out' / 'run' / 'step-7.pth')


def test_a_copied_folder_resumes_in_place_and_a_checkpoint_stands_at_any_moment(
        tmp_path, monkeypatch):
    folder, old = tmp_path / 'run', tmp_path / 'old'
    options = {'default_hooks.checkpoint.max_keep_ckpts': 1}
    train(config(old, 'best', epochs=1, **options))
    shutil.copytree(old, folder)
    before = {path: path.stat().st_mtime_ns for path in old.glob('*.*')}
    standing = []

    def check(*_):
        named = folder / 'last_checkpoint'
        assert old.as_posix() in named.read_text() or os.path.exists(named.read_text())
        standing.append([path.name for path in folder.glob('epoch_*.pth')])
        assert standing[-1]

    def checked(original):
        def wrapped(*args):
            check()
            original(*args)
            check()
        return wrapped
    monkeypatch.setattr(os, 'replace', checked(os.replace))
    monkeypatch.setattr(LocalBackend, 'remove', checked(LocalBackend.remove))
    runner = train(config(folder, 'best', epochs=2, **options), 'auto')
    assert {path: path.stat().st_mtime_ns for path in old.glob('*.*')} == before
    assert [path.name for path in folder.glob('epoch_*.pth')] == ['epoch_2.pth']
    assert ['epoch_1.pth', 'epoch_2.pth'] in map(sorted, standing)
    best = [path.name for path in folder.glob('best_*.pth')]
    assert best == [os.path.basename(runner.message_hub.get_info('best_ckpt'))]
    assert os.path.dirname(runner.message_hub.get_info('best_ckpt')) == str(folder)
    assert read_checkpoint(folder / 'epoch_2.pth')['meta']['epoch'] == 2


def test_a_disk_that_fills_up_ends_training_in_a_line_and_keeps_the_last_checkpoint(
        tmp_path, monkeypatch):
    flush = os.fsync

    def full_at_the_second_checkpoint(descriptor):
        if (tmp_path / 'last_checkpoint').exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        flush(descriptor)
    monkeypatch.setattr(os, 'fsync', full_at_the_second_checkpoint)
    cfg = config(tmp_path, val_dataloader=None, val_cfg=None, val_evaluator=None,
                 **{'default_hooks.checkpoint.max_keep_ckpts': 1})
    with pytest.raises(CheckpointError) as refused:
        train(cfg)
    said = str(refused.value)
    assert said.startswith(
        f'cannot write {tmp_path / "epoch_2.pth"}: No space left on device; free')
    assert '\n' not in said
    assert (tmp_path / 'last_checkpoint').read_text() == str(tmp_path / 'epoch_1.pth')
    assert [path.name for path in tmp_path.glob('*epoch_*')] == ['epoch_1.pth']
    assert read_checkpoint(tmp_path / 'epoch_1.pth')['meta']['epoch'] == 1
