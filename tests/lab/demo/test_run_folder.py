import json

import pytest

from auglocal_mm.lab.demo.run_folder import RunFolder


def test_every_run_gets_a_fresh_folder(tmp_path):
    paths = {RunFolder.create(tmp_path / 'demo', root=tmp_path).path for _ in range(3)}
    assert len(paths) == 3
    assert all((path / 'logs').is_dir() for path in paths)


def test_finds_what_the_tools_leave(tmp_path):
    run = RunFolder.create(tmp_path / 'demo', root=tmp_path)
    with pytest.raises(FileNotFoundError, match='saved no checkpoint'):
        run.checkpoint('detection', 'bp')
    with pytest.raises(FileNotFoundError, match='no metrics'):
        run.metrics('detection', 'bp')
    work_dir, test_dir = run.work_dir('detection', 'bp'), run.test_dir('detection', 'bp')
    work_dir.mkdir()
    (work_dir / 'last_checkpoint').write_text('some/epoch_3.pth\n')
    (test_dir / '20260101_000000').mkdir(parents=True)
    (test_dir / '20260101_000000' / '20260101_000000.json').write_text(json.dumps({'a': 1}))
    assert run.checkpoint('detection', 'bp') == tmp_path / 'some' / 'epoch_3.pth'
    assert run.metrics('detection', 'bp') == {'a': 1}


def test_arguments_are_relative_inside_the_repository_only(tmp_path):
    root = tmp_path / 'repository'
    run = RunFolder.create(tmp_path / 'elsewhere', root=root)
    assert run.argument(root / 'configs' / 'a.py') == 'configs/a.py'
    assert run.argument(run.path) == str(run.path)
