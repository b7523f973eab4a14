"""Builds the package and ships the configs beside it as ``auglocal_mm/.mim``.

OpenMMLab looks for a package's configs in its ``.mim`` folder. A wheel gets
copies of them; an editable install gets relative links, so that an edited
config takes effect at once.
"""
import os
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
PACKAGE = 'auglocal_mm'
SHIPPED = ('configs', 'tools', 'model-index.yml')

# The base needs no OpenMMLab and only lower bounds, so that installing us
# leaves a torch that is already there alone. Take exactly one distribution:
#   [onedl]      the maintained continuation, the default of this project
#   [openmmlab]  the original one, supported at these versions
# Neither compiles anything: pip builds the maintained mmcv as pure Python, and mmcv-lite
# is the original's pure Python wheel. Whoever has the original mmcv with its compiled
# operators installs this package without an extra: pip cannot say "unless it is there".
ONEDL = [
    'onedl-mmengine>=0.10.12,<0.11',
    'onedl-mmcv>=2.3.6,<2.4',
    'onedl-mmdetection>=3.5.1,<3.6',
    'onedl-mmpretrain>=1.3.6,<1.4',
]
OPENMMLAB = [
    'mmengine==0.10.7', 'mmcv-lite==2.1.0', 'mmdet==3.3.0', 'mmpretrain==1.2.0',
    'setuptools<82',  # mmengine 0.10.7 needs pkg_resources
    'opencv-python-headless',  # installed over mmcv's opencv-python, which needs libGL
]
# What auglocal_mm/lab/ needs beyond the base: charts, digits, pages and tables.
LAB = ['jinja2', 'matplotlib', 'scikit-learn', 'tabulate']
TESTS = [*LAB, 'hypothesis', 'pytest', 'pytest-xdist']
DEV = [*TESTS, 'import-linter', 'mypy', 'ruff']
DOCS = ['mkdocs', 'mkdocs-material', 'mkdocstrings[python]']


def _remove(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.is_dir():
        shutil.rmtree(path)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns('__pycache__', '*.py[cod]'))
    else:
        shutil.copy2(source, target)


def ship(package_dir: Path, *, link: bool) -> None:
    """Make ``package_dir/.mim`` again, with relative links or with copies."""
    mim = package_dir / '.mim'
    _remove(mim)
    mim.mkdir(parents=True)
    for name in SHIPPED:
        if link:
            (mim / name).symlink_to(os.path.relpath(ROOT / name, mim))
        else:
            _copy(ROOT / name, mim / name)


class BuildWithConfigs(build_py):
    """``build_py`` that ships the configs; pip's editable install runs it too."""

    def run(self) -> None:
        super().run()
        if getattr(self, 'editable_mode', False):
            ship(ROOT / PACKAGE, link=True)
        else:
            ship(Path(self.build_lib) / PACKAGE, link=False)


def read_version() -> str:
    """Return the version that ``auglocal_mm/version.py`` states."""
    names: dict = {}
    exec((ROOT / PACKAGE / 'version.py').read_text(encoding='utf-8'), names)
    return names['__version__']


setup(
    name=PACKAGE,
    version=read_version(),
    description='Supervised local learning (AugLocal) for OpenMMLab',
    license='Apache-2.0',
    python_requires='>=3.10,<3.13',
    packages=find_packages(include=[PACKAGE, f'{PACKAGE}.*']),
    package_data={PACKAGE: ['py.typed'], **{
        f'{PACKAGE}.lab.{room}': ['templates/*.html', 'templates/*.css']
        for room in ('pages', 'demo', 'reproduction', 'transfer')}},
    install_requires=['fvcore', 'numpy', 'rich', 'torch>=2.6', 'torchvision>=0.21'],
    extras_require={
        'onedl': ONEDL,
        'openmmlab': OPENMMLAB,
        'lab': LAB,
        'demo': LAB,  # its former name
        'tests': TESTS,
        'dev': DEV,
        'docs': DOCS,
    },
    entry_points={'console_scripts': ['auglocal-mm = auglocal_mm.console.command:main']},
    cmdclass={'build_py': BuildWithConfigs},
)
