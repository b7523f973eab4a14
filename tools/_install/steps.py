"""Running the steps of the set-up: visible progress, quiet logs, clear failures."""
import fcntl
import os
import re
import signal
import subprocess
import time
from contextlib import contextmanager

STEPS = 7
HEARTBEAT_S = 30
LOG_LINES_SHOWN = 15


class SetupError(Exception):
    """What stopped the set-up, with its fix."""


def say(text):
    """Print one line of progress."""
    print('   %s' % text, flush=True)


def step(number, what, duration):
    """Print the heading of a step."""
    print('[%d/%d] %s (about %s)' % (number, STEPS, what, duration), flush=True)


def clean_environment(**extra):
    """Return the environment for children: the caller's, less what redirects packages."""
    env = {key: value for key, value in os.environ.items()
           if key not in ('PYTHONPATH', 'PYTHONHOME', 'PIP_TARGET', 'PIP_PREFIX',
                          'PIP_NO_BUILD_ISOLATION')}
    env.update(PIP_USER='0', PIP_NO_INPUT='1', PIP_DISABLE_PIP_VERSION_CHECK='1',
               PIP_PROGRESS_BAR='off', PIP_REQUIRE_VIRTUALENV='0')
    env.update(extra)
    return env


def capture(command, timeout_s=60):
    """Return what a command prints, or None where it fails or hangs."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              stdin=subprocess.DEVNULL, timeout=timeout_s,
                              env=clean_environment(), check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode('utf-8', 'replace')


@contextmanager
def lock(path):
    """Hold a lock file, so that two set-ups of one clone never run at once.

    Commands inherit it: where the set-up was killed, the next one waits for its pip.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(str(path), 'w') as handle:
        os.set_inheritable(handle.fileno(), True)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            say('another set-up of this clone is running; waiting for it')
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def log_tail(log, start):
    """Return the last lines that a log got after position ``start``."""
    with open(str(log), 'rb') as handle:
        handle.seek(start)
        lines = handle.read().decode('utf-8', 'replace').splitlines()
    return lines[-LOG_LINES_SHOWN:]


class Runner:
    """Runs commands with their output in a log; shows that they are alive."""

    def __init__(self, log):
        self.log = log
        self.progress = lambda lines: ''
        log.parent.mkdir(parents=True, exist_ok=True)

    def run(self, command, **environment):
        """Run a command to its end; raise with the log's last lines if it fails."""
        with open(str(self.log), 'ab') as log:
            log.write(('\n$ %s\n' % ' '.join(command)).encode())
            log.flush()
            start = log.tell()
            child = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT,
                                     stdin=subprocess.DEVNULL, start_new_session=True,
                                     close_fds=False,  # but for the lock, none is inheritable
                                     env=clean_environment(**environment))
            try:
                status = self._wait(child, start)
            finally:
                if child.poll() is None:  # interrupted: compilers below it end, too
                    os.killpg(child.pid, signal.SIGTERM)
                    child.wait()
        if status:
            raise SetupError('exit status %d from: %s\n%s\nThe whole log: %s' % (
                status, ' '.join(command), '\n'.join(log_tail(self.log, start)), self.log))

    def _wait(self, child, start):
        began = time.monotonic()
        while True:
            try:
                return child.wait(timeout=HEARTBEAT_S)
            except subprocess.TimeoutExpired:
                done = self.progress(log_tail(self.log, start))
                say('... %s%.1f min' % (done, (time.monotonic() - began) / 60))


class Pip(Runner):
    """The environment's pip, always under the constraints file."""

    def __init__(self, *, python, constraints, log):
        super().__init__(log)
        self.python = python
        self.constraints = constraints

    def call(self, command, *arguments, **environment):
        """Run one pip command."""
        self.run([str(self.python), '-m', 'pip', command, *arguments], **environment)

    def install(self, *requirements):
        """Install requirements at the pinned versions; what is there already stays."""
        self.call('install', '-c', str(self.constraints), *requirements)

    def offers(self, name, version):
        """Say whether pip finds this version on its index or in its folders."""
        listed = capture([str(self.python), '-m', 'pip', 'index', 'versions', name, '--timeout',
                          '10', '--retries', '1'])
        versions = re.findall(r'Available versions: (.*)', listed or '')
        return version in (each.split('+')[0] for each in ''.join(versions).split(', '))
