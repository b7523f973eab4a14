"""Runs of the tools as a user types them, in processes of their own."""
from __future__ import annotations

import gc
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def free_port() -> str:
    """A port that nobody listened on a moment ago."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        return str(free.getsockname()[1])


def command(*words, folder: Path) -> dict:
    """Arguments for `subprocess` that run a tool of the repository in `folder`."""
    environment = {**os.environ, 'OMP_NUM_THREADS': '1', 'PYTHON': sys.executable,
                   'PYTHONPATH': str(ROOT), 'PORT': free_port()}
    words = [str(word) for word in words]
    start = [] if words[0].endswith('.sh') else [sys.executable]
    return {'args': [*start, str(ROOT / words[0]), *words[1:]], 'cwd': folder, 'env': environment,
            'text': True, 'stdout': subprocess.PIPE, 'stderr': subprocess.STDOUT}


def run(*words, folder: Path, status: int = 0) -> str:
    """Return what a tool says, started as a new process."""
    done = subprocess.run(**command(*words, folder=folder), timeout=500, check=False)
    assert done.returncode == status, done.stdout[-4000:]
    return done.stdout


def run_forked(*words, folder: Path, status: int = 0, seconds: float = 300) -> str:
    """Return what a tool says, in a fork of this process.

    A new process takes seconds to import OpenMMLab, a fork takes none. What the tool itself
    imports is not tested, so each tool must be started by `run` somewhere as well.
    """
    with tempfile.TemporaryFile() as said:
        child = start_forked(*words, folder=folder, output=said.fileno())
        clock = threading.Timer(seconds, os.kill, (child, signal.SIGKILL))
        clock.start()
        try:
            seen = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        except BaseException:
            os.kill(child, signal.SIGKILL)
            raise
        finally:
            clock.cancel()
        said.seek(0)
        text = said.read().decode()
    assert seen == status, text[-4000:]
    return text


def start_forked(*words, folder: Path, output: int) -> int:
    """Start a tool in a fork of this process that leads a session of its own; return its id.

    Args:
        words: The tool and its arguments.
        folder: Its working directory.
        output: Descriptor for what it says.
    """
    import mmpretrain.datasets  # Here rather than in every fork.
    import mmpretrain.models  # noqa: F401
    child = os.fork()
    if child == 0:
        try:
            gc.freeze()  # A collection would copy the memory that is shared with the parent.
            os.setsid()
            os._exit(_run_here([str(word) for word in words], folder, output))
        finally:  # Whatever happens, the child never goes on as a second pytest.
            os._exit(1)
    return child


def _run_here(words: list[str], folder: Path, output: int) -> int:
    """Run a tool in this process; return the exit status that a new one would have had."""
    for stream in (1, 2):
        os.dup2(output, stream)
    sys.stdout, sys.stderr = (os.fdopen(stream, 'w') for stream in (1, 2))
    os.chdir(folder)
    sys.argv = [str(ROOT / words[0]), *words[1:]]
    try:
        runpy.run_path(sys.argv[0], run_name='__main__')
        status = 0
    except SystemExit as left:
        status = left.code or 0
        if not isinstance(status, int):
            print(status, file=sys.stderr)
            status = 1
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return status
