"""The doctor: each fault is found with its fix, all at once, on any interpreter."""
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from auglocal_mm.console.doctor import facts as facts_module
from auglocal_mm.console.doctor import judge, main, render
from auglocal_mm.console.doctor import report as report_module
from auglocal_mm.console.doctor.facts import Facts, data_state, last_told, run_probe
from auglocal_mm.console.doctor.judgement import (
    MAINTAINED,
    MIXED,
    NONE,
    ORIGINAL,
    TESTED,
    distribution_of,
)

BASE = {'torch': '2.11.0', 'torchvision': '0.26.0', 'numpy': '2.2.6', 'pycocotools': '2.0.11'}
ONEDL = {name: TESTED[name] for name in TESTED if name.startswith('onedl-')}
ORIGINALS = {name: TESTED[name] for name in ('mmengine', 'mmcv', 'mmdet', 'mmpretrain')}
SOUND = Facts(
    python=(3, 11, 7), implementation='CPython', versions={**BASE, **ONEDL},
    probes={'torch': {'cuda': '13.0', 'available': False, 'devices': []},
            'mmcv.ops': {'operators': 'compiled', 'cuda': 'not available'}, 'mmengine': {},
            'mmpretrain.models': {}, 'mmdet.models': {},
            'auglocal_mm': {'place': '/clone/auglocal_mm'}},
    data={'data/cifar10': []})


def with_versions(**versions):
    """Return sound facts with versions changed; underscores stand for dashes, None removes."""
    changed = {name.replace('_', '-'): version for name, version in versions.items()}
    merged = {**SOUND.versions, **changed}
    return replace(SOUND, versions={name: each for name, each in merged.items() if each})


def with_probe(name, **told):
    return replace(SOUND, probes={**SOUND.probes, name: {**SOUND.probes[name], **told}})


@pytest.mark.parametrize('stack', [ONEDL, ORIGINALS], ids=['maintained', 'original'])
def test_a_sound_stack_has_no_problem(stack):
    facts = replace(SOUND, versions={**BASE, **stack})
    assert judge(facts) == []
    assert 'Everything works.' in render(facts, [])


@pytest.mark.parametrize(('versions', 'kind'), [
    (ONEDL, MAINTAINED), (ORIGINALS, ORIGINAL), ({**ONEDL, **ORIGINALS}, MIXED), ({}, NONE),
    ({'onedl-mmengine': '0.10.12', 'mmcv': '2.1.0'}, MIXED),
    ({'onedl-mmcv': '2.3.6', 'mmcv-lite': '2.1.0'}, MIXED),
])
def test_the_distribution_is_told_apart(versions, kind):
    assert distribution_of(replace(SOUND, versions=versions)) == kind


ERRORS = [
    (replace(SOUND, python=(3, 9, 2)), 'CPython 3.9.2', 'PYTHON='),
    (replace(SOUND, implementation='PyPy'), 'PyPy 3.11.7', 'PYTHON='),
    (with_versions(torch=None), 'not installed: torch', 'make setup'),
    (with_versions(onedl_mmcv=None), 'not installed: mmcv', 'make setup'),
    (with_versions(mmcv='2.1.0'), 'mmcv beside onedl-*', 'pip uninstall mmcv'),
    (with_versions(torch='2.11.0+cpu'), 'different builds', 'torchvision==0.26.0'),
    (with_versions(transformers='5.0.1'), 'must be below 5', 'pip install "transformers<5"'),
    (with_probe('torch', error='OSError: libcudnn'), 'libcudnn', 'force-reinstall'),
    (with_probe('mmcv.ops', operators='none', error='ModuleNotFoundError: mmcv._ext'),
     'mmcv._ext', 'make setup'),
    (with_probe('mmcv.ops', error='ImportError: undefined symbol'),
     'compiled operators do not work with this torch: ImportError', '--no-binary onedl-mmcv'),
    (replace(with_probe('mmcv.ops', error='ImportError: undefined symbol'),
             versions={**BASE, **ORIGINALS}), 'undefined symbol', 'pip install mmcv-lite==2.1.0'),
    (with_probe('mmdet.models', error='ImportError: x'), 'mmdet.models does not', 'make setup'),
    (with_probe('mmpretrain.models', error='ImportError: libGL.so.1'), 'libGL', 'headless'),
    (with_probe('mmengine', error="No module named 'pkg_resources'"), 'mmengine', 'setuptools<82'),
]


@pytest.mark.parametrize(('facts', 'what', 'fix'), ERRORS)
def test_an_error_is_found_with_its_fix(facts, what, fix):
    problem, = judge(facts)
    assert problem.is_error
    assert what in problem.what
    assert fix in problem.fix
    assert f'ERROR: {problem.what}' in render(facts, [problem])


@pytest.mark.parametrize(('facts', 'what'), [
    (with_versions(onedl_mmdetection=None), 'mmdet is not installed'),
    (with_versions(torch='2.12.0'), 'torch 2.12.0 (tested: 2.11.0)'),
    (with_probe('torch', available=True), 'for the CPU alone'),
    (replace(SOUND, versions={**BASE, **ORIGINALS, 'mmcv-lite': '2.1.0'}),
     'mmcv and mmcv-lite are both installed'),
])
def test_a_note_leaves_the_environment_usable(facts, what):
    problem, = judge(facts)
    assert not problem.is_error
    assert what in problem.what


@pytest.mark.parametrize(('told', 'cuda', 'row'), [
    ({}, '13.0', 'compiled, for the CPU alone'),
    ({'cuda': '12.8'}, '13.0', 'compiled, for the CPU and CUDA 12.8'),
    ({'operators': 'torchvision'}, None, "torchvision's, for the CPU alone"),
    ({'operators': 'torchvision'}, '13.0', "torchvision's, for the CPU and CUDA 13.0"),
    ({'operators': 'none', 'error': 'x'}, None, 'FAILS (none)'),
    ({'operators': 'compiled', 'error': 'x'}, None, 'FAILS (compiled)'),
])
def test_the_operators_in_use_are_named(told, cuda, row):
    facts = with_probe('mmcv.ops', **told)
    facts = replace(facts, probes={**facts.probes, 'torch': {'cuda': cuda, 'available': False}})
    assert row in [line.removeprefix('  mmcv operators').strip()
                   for line in render(facts, []).splitlines()]


def test_torchvisions_operators_run_on_a_cuda_device():
    facts = with_probe('mmcv.ops', operators='torchvision')
    assert judge(replace(facts, probes={
        **facts.probes, 'torch': {**facts.probes['torch'], 'available': True}})) == []


def test_transformers_5_alone_is_no_trap():
    assert judge(with_versions(transformers='5.0.1', pycocotools=None)) == []
    assert judge(with_versions(transformers='4.57.0')) == []


def test_the_trap_is_named_once_when_the_import_fails_for_it():
    facts = replace(with_probe('mmpretrain.models', error='ImportError: x'),
                    versions={**SOUND.versions, 'transformers': '5.0.0'})
    assert [problem.fix for problem in judge(facts)] == ['`pip install "transformers<5"`']


def test_all_faults_are_told_at_once_errors_first():
    facts = replace(
        with_versions(transformers='5.0.0', mmcv='2.1.0', torchvision='0.26.1'),
        python=(3, 13, 0), probes={**SOUND.probes, 'mmdet.models': {'error': 'ImportError: x'}})
    kinds = [problem.is_error for problem in judge(facts)]
    assert kinds == [True, True, True, True, False]


def test_tested_versions_are_the_pinned_ones(root):
    lines = (root / 'constraints.txt').read_text().splitlines()
    assert {f'{name}=={version}' for name, version in {**ONEDL, 'torch': TESTED['torch'],
            'torchvision': TESTED['torchvision']}.items()} <= set(lines)


def test_a_probe_tells_and_a_failing_one_tells_why():
    assert run_probe('told["seen"] = 1') == {'seen': 1}
    assert run_probe('import no_such_part')['error'].startswith('ModuleNotFoundError')
    assert run_probe('told["seen"] = 1; raise ValueError("x")') == {
        'seen': 1, 'error': 'ValueError: x'}


def test_a_crashing_probe_is_a_fact():
    assert 'status -9' in run_probe('import os; os.kill(os.getpid(), 9)')['error']


def test_what_was_told_is_the_last_such_line():
    assert last_told('noise\ntold {"a": 1}\nnoise') == {'a': 1}
    assert last_told('noise') is None


def test_data_folders_are_found_missing_or_incomplete(tmp_path):
    (tmp_path / 'data/cifar10/cifar-10-batches-py').mkdir(parents=True)
    (tmp_path / 'data/imagenet/train').mkdir(parents=True)
    state = data_state(tmp_path)
    assert state == {'data/cifar10': [], 'data/imagenet': ['val'], 'data/coco': None}
    table = render(replace(SOUND, data=state), [])
    assert all(word in table for word in ('found', 'lacks val', 'not there'))


@pytest.mark.parametrize(('facts', 'status'), [(SOUND, 0), (ERRORS[0][0], 1)])
def test_the_exit_status_and_json_tell_of_errors(monkeypatch, capsys, facts, status):
    monkeypatch.setattr(report_module, 'collect', lambda: facts)
    assert main(['--json']) == status
    told = json.loads(capsys.readouterr().out)
    assert told['versions'] == facts.versions
    assert bool(told['problems']) == bool(status)


def test_a_bare_interpreter_is_examined_too(root, tmp_path):
    """Nothing installed: the tool still ends with a table and a fix."""
    bare = Path(sys.base_prefix) / 'bin' / f'python3.{sys.version_info.minor}'
    if not bare.exists():
        pytest.skip(f'{bare} is not there')
    code = ('import runpy, sys; sys.argv = [sys.argv[1]]; '
            'runpy.run_path(sys.argv[0], run_name="__main__")')
    done = subprocess.run([str(bare), '-S', '-c', code, str(root / 'tools' / 'doctor.py')],
                          capture_output=True, text=True, cwd=tmp_path,
                          env={name: value for name, value in os.environ.items()
                               if name != 'PYTHONPATH'})
    assert done.returncode == 1, done.stderr
    assert 'ERROR: not installed: torch' in done.stdout
    assert 'make setup' in done.stdout


def probe_here(code):
    """What a probe tells of this process."""
    told = {}
    exec(code, {'told': told})
    return told


@pytest.mark.parametrize('probe', [
    probe_here, pytest.param(run_probe, marks=pytest.mark.slow)], ids=['here', 'fresh processes'])
def test_this_environment_is_sound(probe, monkeypatch):
    """The stack that the tests run on works as a whole."""
    # Probes run two at a time; in one process they would import the same things.
    import mmdet.models  # noqa: F401
    import mmpretrain.models  # noqa: F401

    monkeypatch.setattr(facts_module, 'run_probe', probe)
    facts = facts_module.collect()
    assert facts.probes.keys() == SOUND.probes.keys()
    assert [problem for problem in judge(facts) if problem.is_error] == []
