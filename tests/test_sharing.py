"""Workers share tests, builds and processes without losing any."""
import os
from multiprocessing import get_context
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sharing import LONGEST, TESTS, build_once, spread
from tool_runs import run_forked


def test_the_longest_files_are_there():
    assert all(path.is_file() for path in LONGEST)


@given(numbers=st.lists(st.integers(0, len(LONGEST) + 2), max_size=60),
       workers=st.integers(1, 6))
def test_every_test_is_kept_and_a_file_stays_in_order(numbers, workers):
    paths = [*LONGEST, *(TESTS / f'short{i}.py' for i in range(3))]
    items = [SimpleNamespace(path=paths[number], place=place)
             for place, number in enumerate(numbers)]
    ordered = spread(items, workers)
    assert sorted(item.place for item in ordered) == list(range(len(items)))
    for path in paths:
        places = [item.place for item in ordered if item.path == path]
        assert places == sorted(places)


def test_each_worker_begins_with_a_long_file():
    short = [TESTS / 'short.py'] * (100 - len(LONGEST))
    items = [SimpleNamespace(path=path) for path in [*LONGEST, *short]]
    ordered = spread(items, 4)
    assert [ordered[start].path for start in (0, 25, 50, 75)] == LONGEST[:4]


def build(path):
    (path / str(os.getpid())).touch()


def test_what_is_shared_is_built_by_one_process(tmp_path):
    context = get_context('fork')
    processes = [context.Process(target=build_once, args=(tmp_path / 'built', build))
                 for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert len(list((tmp_path / 'built').iterdir())) == 1


def test_a_failed_build_is_not_taken_for_one(tmp_path):
    with pytest.raises(ZeroDivisionError):
        build_once(tmp_path / 'built', lambda path: 1 / 0)
    with pytest.raises(FileExistsError):
        build_once(tmp_path / 'built', lambda path: None)


@pytest.mark.parametrize(('code', 'status', 'said'), [
    ('print(os.getcwd(), sys.argv[1])', 0, '{folder} word\n'),
    ('sys.exit(3)', 3, ''),
    ('sys.exit()', 0, ''),
    ('sys.exit("why")', 1, 'why\n'),
    ('os.close(1); 1 / 0', 1, 'ZeroDivisionError'),
    ('os.kill(os.getpid(), 9)', -9, ''),
])
def test_a_fork_ends_as_a_new_process_would(tmp_path, code, status, said):
    (tmp_path / 'script.py').write_text(f'import os, sys\n{code}\n')
    here, arguments = os.getcwd(), list(os.sys.argv)
    text = run_forked(tmp_path / 'script.py', 'word', folder=tmp_path, status=status)
    assert said.format(folder=tmp_path) in text
    assert (os.getcwd(), os.sys.argv) == (here, arguments)
