"""A tool's failures: one line, an exit status, the traceback where it was asked for.

More of them, in two minutes: ``pytest tests/test_told.py -m slow``.
"""
import re
import signal
from importlib.util import find_spec

import pytest
from tiny_run import take_out_what_is_slow, write_tiny_config
from tool_runs import run_forked

from auglocal_mm.console.told import describe, one_line
from auglocal_mm.console.told.fault import _BUILDING
from auglocal_mm.console.told.frames import raised_by_us
from auglocal_mm.validation import Faults


@pytest.fixture(autouse=True)
def _fast(monkeypatch):
    take_out_what_is_slow(monkeypatch)


def slowly(*cases, fast=()):
    """Cases for `parametrize`, of which all but some numbers are slow."""
    return [pytest.param(*each) if number in fast else pytest.param(*each, marks=pytest.mark.slow)
            for number, each in enumerate(cases)]


def error_line(said):
    """The only line that a tool ends with, and no traceback before it."""
    lines = [line for line in said.splitlines() if line.strip()]
    assert 'Traceback' not in said, said
    assert lines[-1].startswith('error: ') and sum(
        line.startswith('error: ') for line in lines) == 1, said
    return lines[-1]


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('told')
    write_tiny_config(folder)
    return folder


@pytest.mark.parametrize(('option', 'said'), slowly(
    ('model.local.type=collections.OrderedDict', "model.local.type is 'collections.OrderedDict'"),
    ('model.local.depth=100000', r'depth must be an integer of at most 100, got 100000 \(in model'),
    ('optim_wrapper.loss_scale=1e300', r'at most .*e\+19, got 1e\+300 \(in optim_wrapper\)'),
    ('optim_wrapper.clip_grad=3', r'clip_grad must be None or a dict .* got 3 \(in optim_wrapper'),
    ('optim_wrapper.accumulative_count=3', "optim_wrapper: unknown key 'accumulative_count' of "
     "AugLocalOptimWrapper; did you mean 'accumulative_counts'"),
    ('custom_hooks.0.intervall=3', "custom_hooks.0: unknown key 'intervall' of AuxiliaryHeadHook; "
     "did you mean 'interval'"),
    ('param_scheduler.0.warmup_epoch=3', "param_scheduler.0: unknown key 'warmup_epoch' of "
     "WarmupCosineLR; did you mean 'warmup_epochs'"),
    ('train_dataloader.dataset.data_root=None', r'data_root must .* got None \(in train_dataload'),
    ('train_dataloader.dataset.splitt=test', r"unknown key 'splitt'.*in train_dataloader.dataset"),
    ('train_dataloader.batch_size=x', "train_dataloader: ValueError: batch_size .*=x"),
    ('train_dataloader.dataset=5', 'train_dataloader.dataset must be a dict .* got 5'),
    ('model.backbone.strides=(1,2)', 'strides must have num_stages=3 values, got '),
    ('model.backbone.depth=17', 'depth of ResNetCIFAR must be one of .*, got 17'),
    ('model.head.num_classes=-1', 'model.head: ValueError: num_classes=-1'),
    ('model.type=Absent', 'model: KeyError: Absent is not in the'),
    ('model=5', 'model must be a dict, got 5'),
    ('custom_hooks=5', 'custom_hooks must be a list, got 5'),
    ('log_level=LOUD', "log_level must be one of .* got 'LOUD'"),
    ('train_cfg.max_epochs=x', 'train_cfg: ValueError: .*x'),
    fast=(0, 2, 5, 7, 13)))
def test_a_bad_setting_is_one_line_with_key_and_value(option, said, folder):
    shown = run_forked('tools/train.py', 'config.py', '--cfg-options', option, folder=folder,
                       status=2)
    assert re.search(said, error_line(shown)), shown


CONTENTS = {'hello.py': b'hello\n', 'hello.json': b'hello\n', 'hello.yaml': b'hello\n',
            'bytes.py': bytes(range(256)), 'empty.json': b'', 'empty.py': b'', 'list.json': b'[1]',
            'raises.py': b'raise OSError(28, "No space left on device", "x")\n',
            'import.py': b'import absent_package\n'}


@pytest.mark.parametrize('name', slowly(*([name] for name in CONTENTS), fast=(0, 4, 7)))
def test_a_config_that_is_none_is_one_line(name, tmp_path):
    (tmp_path / name).write_bytes(CONTENTS[name])
    said = error_line(run_forked('tools/train.py', name, folder=tmp_path, status=2))
    assert name in said or 'model must be' in said


@pytest.mark.parametrize('words', slowly(*([words] for words in [
    ['tools/model_converters/export_backbone.py', 'hello', 'out.pth'],
    ['tools/model_converters/publish_model.py', 'hello', 'out'],
    ['tools/test.py', 'config.py', 'hello'],
    ['tools/train.py', 'config.py', '--resume', 'hello'],
    ['tools/train.py', 'config.py', '--image-folder', 'hello'],
    ['tools/train.py', 'config.py', '--work-dir', 'hello'],
    ['tools/train.py', 'config.py', '--timeout', '-1'],
    ['tools/analysis_tools/show_plan.py', 'hello'],
    ['tools/analysis_tools/get_complexity.py', 'hello'],
    ['tools/analysis_tools/plot_curves.py', 'hello'],
    ['tools/analysis_tools/detector_families.py', '--compare', 'hello'],
    ['tools/analysis_tools/representation_similarity.py', 'config.py', 'hello', 'config.py',
     'hello'],
    ['tools/dataset_converters/prepare.py', 'cifar10', '--root', 'hello'],
]), fast=(2, 5, 10)), ids=lambda words: f'{words[0].rpartition("/")[2]}-{words[-2]}')
def test_a_file_of_hello_is_one_line_for_every_tool(words, tmp_path):
    write_tiny_config(tmp_path, test_dataloader={
        'batch_size': 2, 'num_workers': 0, 'dataset': {'type': 'auglocal_mm.Digits', 'split':
                                                       'test', 'pipeline': []}},
                      test_cfg={}, test_evaluator={'type': 'Accuracy'})
    (tmp_path / 'hello').write_text('hello\n')
    said = error_line(run_forked(*words, folder=tmp_path, status=2))
    assert 'hello' in said or '-1' in said


def test_a_disk_that_is_full_is_named(tmp_path):
    """A limit on the size of files is what a full disk looks like to a checkpoint."""
    write_tiny_config(tmp_path, 'import resource\n'
                                'resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))')
    said = error_line(run_forked('tools/train.py', 'config.py', folder=tmp_path, status=2))
    assert re.search(r'epoch_1\S*: File too large', said), said


@pytest.mark.parametrize('backend', ['TensorboardVisBackend', 'WandbVisBackend',
                                     'MLflowVisBackend', 'ClearMLVisBackend', 'NeptuneVisBackend',
                                     'DVCLiveVisBackend', 'AimVisBackend'])
def test_a_backend_without_its_package_names_it(backend, monkeypatch):
    from mmengine.config import Config

    from auglocal_mm.engine import launch
    monkeypatch.setattr(launch, 'find_spec', lambda name: None)
    cfg = Config({'visualizer': {'vis_backends': [{'type': backend}]}})
    wanted = ' '.join(launch.BACKEND_PACKAGES[backend])
    with pytest.raises(ValueError, match=f'{backend} in .* pip install {wanted}$'):
        launch.require_backends(cfg)


FAILS = '''
custom_imports = dict(imports=['failing'], allow_failed_imports=False)
custom_hooks = [dict(type='Failing', how={!r})]
'''
HOOK = '''
import os, signal
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

@HOOKS.register_module()
class Failing(Hook):
    """Fails in the second epoch."""

    def __init__(self, how):
        self.how = how

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter < 3:
            return
        if self.how == 'error':
            {}['absent']
        os.kill(os.getpid(), getattr(signal, self.how))
'''


def failing(folder, how):
    (folder / 'failing.py').write_text(HOOK)
    write_tiny_config(folder, FAILS.format(how))
    return ['tools/train.py', 'config.py']


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder from which forks import."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_an_error_in_training_keeps_its_traceback_in_the_log(here):
    said = error_line(run_forked(*failing(here, 'error'), folder=here, status=1))
    assert "KeyError: absent" in said
    log = here / re.search(r'the traceback is in (\S+\.log)', said)[1]
    text = log.read_text()
    assert 'Epoch(train)' in text and 'Traceback (most recent call last)' in text
    assert text.rstrip().endswith("KeyError: 'absent'")


@pytest.mark.slow
def test_debug_shows_the_traceback_and_the_line(here):
    said = run_forked(*failing(here, 'error'), '--debug', folder=here, status=1)
    assert 'Traceback (most recent call last)' in said and '{}[\'absent\']' in said
    assert said.rstrip().splitlines()[-1].startswith('error: KeyError: absent')


def test_out_of_memory_says_what_to_lower():
    fault = describe(RuntimeError('CUDA out of memory. Tried to allocate 20.00 MiB'))
    assert fault.status == 1 and 'out of memory; lower the batch size' in fault.line


@pytest.mark.parametrize('name', slowly(['SIGINT'], ['SIGTERM'], fast=(0,)))
def test_a_signal_ends_training_in_one_line(name, here):
    number = getattr(signal, name)
    said = run_forked(*failing(here, name), folder=here, status=128 + number)
    last = said.rstrip().splitlines()[-1]
    assert last == 'interrupted in epoch 2, after 3 iterations of the run; continue with --resume'
    assert 'Traceback' not in said
    assert not [path for path in (here / 'run').rglob('*') if 'partial' in path.name]


@pytest.mark.slow
def test_every_tools_help_names_debug(root, tmp_path):
    for path in sorted((root / 'tools').rglob('*.py')):
        if path.parent.name != '_install' and path.name != 'install.py':
            assert '--debug' in run_forked(path.relative_to(root), '--help', folder=tmp_path), path


def test_debug_is_taken_before_the_tools_own_words(tmp_path):
    said = run_forked('tools/model_converters/export_backbone.py', '--debug', 'absent', 'out',
                      folder=tmp_path, status=2)
    assert 'Traceback' in said and 'error: no checkpoint at absent' in said


def raised(make):
    try:
        make()
    except Exception as error:
        return error
    return None


def test_only_what_we_raise_on_purpose_counts_as_ours():
    def on_purpose():
        faults = Faults('X')
        faults.add_unless(False, 'a must be 1, got 2')
        faults.raise_if_any()
    assert raised_by_us(raised(on_purpose))
    from auglocal_mm.validation import is_number, shown
    assert is_number(10**400) and shown(10**5000) == 'a int'
    from auglocal_mm.plan import linear_weights
    assert not raised_by_us(raised(lambda: linear_weights((1, 2), 'x')))


def test_a_cause_of_ours_is_told_in_our_words():
    def rewrapped():
        try:
            faults = Faults('X')
            faults.add_unless(False, 'a must be 1, got 2')
            faults.raise_if_any()
        except ValueError as error:
            raise ValueError(f'class `X` in auglocal_mm/x.py: {error}') from error
    fault = describe(raised(rewrapped))
    assert (fault.status, fault.line) == (2, 'X: a must be 1, got 2')


@pytest.mark.parametrize(('text', 'line'), [
    ('X:\n  - a must be 1\n  - b must be 2', 'X: a must be 1; b must be 2'),
    ('data is missing: 1 path\n  /x\n    what belongs there: y', 'data is missing: 1 path; /x; '
     'what belongs there: y'),
    ('a\x1b[31mb\r\n', 'a?[31mb'),
    ('', ''),
])
def test_one_line(text, line):
    assert one_line(text) == line


@pytest.mark.parametrize('name', ['jinja2', 'markupsafe', 'matplotlib.axes', 'sklearn', 'tabulate'])
def test_a_package_of_the_lab_is_told_with_its_extra(name):
    fault = describe(ModuleNotFoundError(f'No module named {name!r}', name=name))
    assert fault.status == 2
    assert fault.line == (f'No module named {name!r}; it comes with the extra `lab`: '
                          "pip install 'auglocal_mm[lab]'")


@pytest.mark.parametrize('name', _BUILDING)
def test_modules_that_build_are_modules_of_now(name):
    assert find_spec(name) is not None
