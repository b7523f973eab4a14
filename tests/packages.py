"""Builds this project's packages for tests, from a copy of its source."""
import shutil
import subprocess
import sys

PARTS = ('auglocal_mm', 'configs', 'tools', 'setup.py', 'pyproject.toml', 'MANIFEST.in',
         'LICENSE', 'model-index.yml', 'constraints.txt', 'Makefile')
PIP = ('--no-deps', '--no-build-isolation', '--no-index', '--quiet')


def copy_source(root, target):
    """Copy what packaging reads from `root` to the new folder `target`."""
    target.mkdir()
    for name in PARTS:
        if (root / name).is_dir():
            ignored = shutil.ignore_patterns('__pycache__', '.mim')
            shutil.copytree(root / name, target / name, ignore=ignored)
        else:
            shutil.copy(root / name, target / name)
    return target


def run(*command, cwd, **options):
    done = subprocess.run([sys.executable, *command], cwd=cwd, capture_output=True, text=True,
                          **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build_wheel(source, out):
    """Return the wheel that pip builds from the source archive, as a path in `out`."""
    run('setup.py', '--quiet', 'sdist', '--dist-dir', str(out), cwd=source)
    archive = next(out.glob('auglocal_mm-*.tar.gz'))
    run('-m', 'pip', 'wheel', *PIP, '--wheel-dir', str(out), str(archive), cwd=out)
    return next(out.glob('auglocal_mm-*.whl'))
