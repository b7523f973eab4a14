"""What is wrong with an environment: pure functions from facts to problems.

All problems are found in one pass, each with its fix.
"""
from dataclasses import dataclass

from .facts import Facts

MAINTAINED = 'maintained (onedl-*)'
ORIGINAL = 'original'
MIXED = 'mixed'
NONE = 'none'
# import name: (maintained distribution, original ones)
PARTS = {
    'mmengine': ('onedl-mmengine', ('mmengine',)),
    'mmcv': ('onedl-mmcv', ('mmcv', 'mmcv-full', 'mmcv-lite')),
    'mmdet': ('onedl-mmdetection', ('mmdet',)),
    'mmpretrain': ('onedl-mmpretrain', ('mmpretrain',)),
}
TESTED = {
    'torch': '2.11.0', 'torchvision': '0.26.0',
    'onedl-mmengine': '0.10.12', 'onedl-mmcv': '2.3.6',
    'onedl-mmdetection': '3.5.1', 'onedl-mmpretrain': '1.3.6',
    'mmengine': '0.10.7', 'mmcv': '2.1.0', 'mmcv-lite': '2.1.0', 'mmdet': '3.3.0',
    'mmpretrain': '1.2.0',
}
REQUIRED = ('torch', 'torchvision', 'numpy')
PYTHONS = ((3, 10), (3, 12))
SET_UP = '`pip install ".[onedl]"` in a clone, or `make setup` there and use .venv/bin/python'
# Takes compiled operators out: pip builds where torch cannot be imported.
PURE = {
    MAINTAINED: '`pip install --force-reinstall --no-deps --no-cache-dir --no-binary onedl-mmcv '
                f'onedl-mmcv=={TESTED["onedl-mmcv"]}`',
    ORIGINAL: f'`pip uninstall mmcv` and `pip install mmcv-lite=={TESTED["mmcv-lite"]}`',
}


@dataclass(frozen=True)
class Problem:
    """One thing to repair. A note leaves the environment usable; an error does not."""

    what: str
    fix: str
    is_error: bool = True


def distribution_of(facts: Facts) -> str:
    """Return which OpenMMLab distribution is installed."""
    kinds = set()
    for maintained, originals in PARTS.values():
        if maintained in facts.versions:
            kinds.add(MAINTAINED)
        if any(name in facts.versions for name in originals):
            kinds.add(ORIGINAL)
    return MIXED if len(kinds) > 1 else kinds.pop() if kinds else NONE


def check_python(facts: Facts) -> list[Problem]:
    """Check the interpreter."""
    if facts.implementation == 'CPython' and PYTHONS[0] <= facts.python[:2] <= PYTHONS[1]:
        return []
    found = '.'.join(map(str, facts.python))
    return [Problem(f'Python is {facts.implementation} {found}, must be CPython 3.10 to 3.12',
                    'make an environment with one of these: `make setup PYTHON=python3.11`')]


def check_presence(facts: Facts) -> list[Problem]:
    """Check that every part is installed."""
    problems = []
    missing = [name for name in REQUIRED if name not in facts.versions]
    missing += [name for name in ('mmengine', 'mmcv', 'mmpretrain') if not _has(facts, name)]
    if missing:
        problems.append(Problem(f'not installed: {", ".join(missing)}', SET_UP))
    elif not _has(facts, 'mmdet'):
        problems.append(Problem('mmdet is not installed: no detection',
                                '`pip install onedl-mmdetection` (beside the original parts: '
                                '`pip install mmdet==3.3.0`)', is_error=False))
    return problems


def _has(facts: Facts, part: str) -> bool:
    maintained, originals = PARTS[part]
    return any(name in facts.versions for name in (maintained, *originals))


def check_distribution(facts: Facts) -> list[Problem]:
    """Check that one OpenMMLab distribution is installed and not parts of both."""
    if distribution_of(facts) != MIXED:
        return []
    names = [name for _, originals in PARTS.values() for name in originals]
    intruders = [name for name in names if name in facts.versions]
    return [Problem('both OpenMMLab distributions are installed, and they overwrite each other: '
                    f'{", ".join(intruders)} beside onedl-*',
                    f'`pip uninstall {" ".join(intruders)}`, then '
                    '`pip install --force-reinstall --no-deps` the onedl-* packages')]


def check_versions(facts: Facts) -> list[Problem]:
    """Check for versions other than those the tests ran with."""
    other = [f'{name} {facts.versions[name]} (tested: {version})'
             for name, version in TESTED.items()
             # Without the build, as in 2.11.0+cpu.
             if name in facts.versions and facts.versions[name].split('+')[0] != version]
    return [Problem(f'untested versions: {", ".join(other)}',
                    'install the tested ones if something misbehaves', is_error=False)
            ] if other else []


def check_torch(facts: Facts) -> list[Problem]:
    """Check that torch loads, and that torchvision was built for it."""
    if 'torch' not in facts.versions or 'torchvision' not in facts.versions:
        return []
    builds = {name: facts.versions[name].partition('+')[2] for name in ('torch', 'torchvision')}
    if 'cpu' in builds.values() and builds['torch'] != builds['torchvision']:
        return [Problem(f'torch {facts.versions["torch"]} and torchvision '
                        f'{facts.versions["torchvision"]} are of different builds',
                        '`pip install --force-reinstall torch==2.11.0 torchvision==0.26.0`')]
    return _import_problem(facts, 'torch',
                           '`pip install --force-reinstall torch==2.11.0 torchvision==0.26.0`')


def check_transformers(facts: Facts) -> list[Problem]:
    """Check for the transformers release that breaks mmpretrain beside pycocotools."""
    version = facts.versions.get('transformers', '0')
    if 'pycocotools' not in facts.versions or int(version.split('.')[0]) < 5:
        return []
    return [Problem(f'transformers is {version}, must be below 5: beside pycocotools, '
                    '`import mmpretrain.models` fails with it',
                    '`pip install "transformers<5"`')]


def check_operators(facts: Facts) -> list[Problem]:
    """Check that mmcv's operators, its own or torchvision's, compute the right thing."""
    if not _has(facts, 'mmcv') or 'torch' not in facts.versions:
        return []
    told = facts.probes.get('mmcv.ops', {})
    if told.get('operators') != 'compiled' or 'error' not in told:
        return _import_problem(facts, 'mmcv.ops', SET_UP)
    return [Problem(f'mmcv\'s compiled operators do not work with this torch: {told["error"]}',
                    f'use torchvision\'s instead: {_pure(facts)}; or compile them again: '
                    '`make operators` in a clone')]


def _pure(facts: Facts) -> str:
    return PURE.get(distribution_of(facts), PURE[MAINTAINED])


def check_mmcv_twice(facts: Facts) -> list[Problem]:
    """Check for two distributions of the original mmcv in one folder."""
    names = [name for name in PARTS['mmcv'][1] if name in facts.versions]
    if len(names) < 2:
        return []
    return [Problem(f'{" and ".join(names)} are both installed and share the folder mmcv: '
                    'removing one breaks the other',
                    f'`pip uninstall {" ".join(names)}`, then install the one you want: mmcv '
                    'with compiled operators, or mmcv-lite', is_error=False)]


def check_imports(facts: Facts) -> list[Problem]:
    """Check that the packages on top import."""
    problems = _import_problem(facts, 'auglocal_mm', SET_UP) if _has(facts, 'mmengine') else []
    if _has(facts, 'mmengine'):
        problems += _import_problem(facts, 'mmengine', SET_UP)
    for part in ('mmpretrain', 'mmdet'):
        trapped = part == 'mmpretrain' and check_transformers(facts)
        if _has(facts, part) and not trapped:
            problems += _import_problem(facts, f'{part}.models',
                                        'repair what the message names, or ' + SET_UP)
    return problems


def _import_problem(facts: Facts, probe: str, fix: str) -> list[Problem]:
    error = facts.probes.get(probe, {}).get('error')
    if error is None:
        return []
    # The graphical OpenCV, which the stack installs beside the headless one, links these.
    if 'libGL' in error or 'libgthread' in error:
        fix = '`pip install --force-reinstall --no-deps opencv-python-headless`'
    if 'pkg_resources' in error:
        fix = '`pip install "setuptools<82"`'
    return [Problem(f'{probe} does not work: {error}', fix)]


def check_cuda(facts: Facts) -> list[Problem]:
    """Check that mmcv's operators run where torch computes."""
    told = facts.probes.get('mmcv.ops', {})
    compiled_for_cpu = told.get('operators') == 'compiled' and told.get('cuda') == 'not available'
    if not facts.probes.get('torch', {}).get('available') or not compiled_for_cpu:
        return []
    return [Problem('torch sees a CUDA device but mmcv\'s operators are compiled for the CPU '
                    'alone: classification runs on the device, detection does not',
                    f'use torchvision\'s, which run on both: {_pure(facts)}; or install nvcc of '
                    'torch\'s CUDA version and run `make distclean operators` in a clone',
                    is_error=False)]


CHECKS = (check_python, check_presence, check_distribution, check_torch, check_operators,
          check_mmcv_twice, check_transformers, check_imports, check_cuda, check_versions)


def judge(facts: Facts) -> list[Problem]:
    """Return all problems, errors first."""
    problems = [problem for check in CHECKS for problem in check(facts)]
    return sorted(problems, key=lambda problem: not problem.is_error)
