"""Install mmcv: with compiled operators where a wheel has them, else as pure Python.

No index carries a wheel of the maintained mmcv. In pip's build isolation, torch cannot
be imported, so its source gives a pure Python package in seconds. auglocal_mm.operators
then stands in for the operators.
"""
import zipfile

from .steps import SetupError, capture, say

NAME = 'onedl-mmcv'
LOADS = 'import torch; import mmcv._ext'


def has_operators(wheel):
    """Say whether a wheel holds compiled operators."""
    try:
        with zipfile.ZipFile(str(wheel)) as archive:
            return any(name.startswith('mmcv/_ext') and name.endswith('.so')
                       for name in archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def newest_with_operators(folder):
    """Return the newest wheel in a folder that has operators, or None."""
    wheels = sorted(folder.glob('*.whl'), key=lambda path: path.stat().st_mtime)
    return next((path for path in reversed(wheels) if has_operators(path)), None)


class Mmcv:
    """The mmcv of one environment, and its wheels under ``build/``."""

    def __init__(self, *, pip, root, pins, version):
        self.pip = pip
        self.python_version = version
        self.version = pins[NAME]
        self.requirement = '%s==%s' % (NAME, self.version)
        self.tag = 'cp%s-torch%s' % (version.replace('.', ''), pins['torch'])
        self.wheels = root / 'wheels' / self.tag
        self.wheel = None

    def look_up(self):
        """Look for a wheel with operators: compiled here before, or found by pip."""
        self.wheel = newest_with_operators(self.wheels)
        if self.wheel is None:
            try:
                self.pip.call('download', '--no-deps', '--no-cache-dir', '--only-binary', NAME,
                              '--dest', str(self.wheels), self.requirement)
            except SetupError:
                return  # the usual case: indexes have the source alone
            self.wheel = newest_with_operators(self.wheels)
        if self.wheel is not None:
            say('a wheel with compiled operators: %s' % self.wheel.name)

    def install(self):
        """Install mmcv, with compiled operators if a wheel has ones that load."""
        if self._is_compiled():
            if self.loads():
                return
            say('the compiled operators in .venv do not load with this torch: removed')
            self._uninstall()
        if not self.take_wheel():
            self.pip.install('--no-cache-dir', '--no-binary', NAME, '--build-constraint',
                             str(self.pip.constraints), self.requirement)

    def take_wheel(self):
        """Install the wheel that was found; return whether its operators load."""
        if self.wheel is None:
            return False
        self._uninstall()
        self.pip.install(str(self.wheel))
        if self.loads():
            return True
        say('%s does not load with this torch: pure Python instead' % self.wheel.name)
        self._uninstall()
        self.wheel.unlink()
        self.wheel = None
        return False

    def loads(self):
        """Say whether the installed mmcv has compiled operators that load."""
        return capture([str(self.pip.python), '-c', LOADS], timeout_s=300) is not None

    def _is_compiled(self):
        site = self.pip.python.parent.parent
        return any(site.glob('lib/python3*/site-packages/mmcv/_ext*.so'))

    def _uninstall(self):
        self.pip.call('uninstall', '--yes', NAME)
