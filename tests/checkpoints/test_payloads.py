"""No checkpoint runs code: payloads of every style, in every place, through every door."""
import io
import os
import threading

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmengine.logging import HistoryBuffer
from mmengine.model import PretrainedInit
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import checkpoint as host
from payloads import PLACES, content, crafted, objects
from small import classifier

from auglocal_mm.checkpoints import (
    CheckpointError,
    export_backbone,
    publish_model,
    read_checkpoint,
    use_safe_reader,
)
from auglocal_mm.checkpoints.host_reader import load_from_file


@pytest.fixture(autouse=True, scope='module')
def _safe_reader():
    """The tools install it for good; here it leaves again."""
    schemes = dict(host.CheckpointLoader._schemes)
    others = {name: getattr(host, name) for name in ('load_from_http', '_safe_torch_load')
              if hasattr(host, name)}
    use_safe_reader()
    yield
    host.CheckpointLoader._schemes = type(host.CheckpointLoader._schemes)(schemes)
    for name, function in others.items():
        setattr(host, name, function)


def refused(function, *arguments, **settings):
    """Return the one line in which a call ends."""
    with pytest.raises(CheckpointError) as caught:
        function(*arguments, **settings)
    assert '\n' not in str(caught.value)
    return str(caught.value)


def save(value, path):
    torch.save(value, path)
    return path


def test_no_object_is_built_wherever_it_is(tmp_path):
    trace = tmp_path / 'trace'
    payloads = objects(trace)
    tried = 0
    for place in PLACES:
        for name, payload in payloads.items():
            file = save(content(place, payload), tmp_path / 'evil.pth')
            said = refused(read_checkpoint, file)
            assert 'without running code' in said, (place, name, said)
            assert not trace.exists(), (place, name)
            tried += 1
    assert tried >= 60


def test_no_crafted_pickle_runs(tmp_path):
    trace = tmp_path / 'trace'
    for name, file in crafted(trace).items():
        (tmp_path / 'evil.pth').write_bytes(file)
        refused(read_checkpoint, tmp_path / 'evil.pth')
        assert not trace.exists(), name


#: How a config may ask mmengine for a file of weights.
SPELLINGS = {
    'pretrained': lambda file: {'pretrained': file},
    'init_cfg': lambda file: {'init_cfg': {'type': 'Pretrained', 'checkpoint': file}},
    'scope': lambda file: {'init_cfg': {'type': 'mmengine.Pretrained', 'checkpoint': file}},
    'path': lambda file: {'init_cfg': {
        'type': 'mmengine.model.weight_init.PretrainedInit', 'checkpoint': file}},
    'class': lambda file: {'init_cfg': {
        'type': PretrainedInit, 'checkpoint': file}},
    'prefix': lambda file: {'init_cfg': {
        'type': 'Pretrained', 'checkpoint': file, 'prefix': 'x'}},
    'list': lambda file: {'init_cfg': [{'type': 'Pretrained', 'checkpoint': file}]},
    'override': lambda file: {'init_cfg': {
        'type': 'Constant', 'val': 0, 'layer': 'Linear', 'override': {
            'type': 'Pretrained', 'name': 'backbone', 'checkpoint': file}}},
    'backbone': lambda file: {'backbone': {
        'type': 'auglocal_mm.ResNetCIFAR', 'depth': 20, 'stem_channels': 4, 'base_channels': 4,
        'init_cfg': {'type': 'Pretrained', 'checkpoint': file}}},
}


@pytest.mark.parametrize('spelling', SPELLINGS)
@pytest.mark.parametrize('place', ['evil.pth', 'scheme://evil.pth', 'pavi://evil.pth'])
def test_no_spelling_of_pretrained_leads_around_the_reader(tmp_path, monkeypatch, spelling, place):
    trace = tmp_path / 'trace'
    monkeypatch.chdir(tmp_path)
    file = tmp_path / place.replace('://', ':/')
    file.parent.mkdir(exist_ok=True)
    save({'state_dict': {'w': torch.zeros(1), 'x': objects(trace)['mkdir']}}, file)
    model = classifier(**SPELLINGS[spelling](place))
    refused(model.init_weights)
    assert not trace.exists()


def test_mmengine_reads_through_us_and_gets_no_config_to_execute(tmp_path):
    weights = {'state_dict': {'w': torch.ones(1)}, 'meta': {'config': 'a = 1\n', 'epoch': 2}}
    file = str(save(weights, tmp_path / 'a.pth'))
    read = host._load_checkpoint(file)
    assert read['meta'] == {'epoch': 2} and read['state_dict']['w'] == 1
    assert load_from_file(file)['meta'] == {'epoch': 2}
    assert read_checkpoint(file)['meta']['config'] == 'a = 1\n'


@pytest.mark.parametrize('name', ['s3://b/a.pth', 'x:petrel://b/a.pth', 'pavi://a'])
def test_a_file_of_a_storage_service_must_be_fetched(name):
    assert 'download it first' in refused(host._load_checkpoint, name)


def test_what_was_downloaded_is_read_safely(tmp_path, monkeypatch):
    trace = tmp_path / 'trace'

    def download(url, target, named, progress):
        save({'state_dict': {'x': objects(trace)['mkdir']}}, target)

    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, 'download_url_to_file', download)
    refused(host._load_checkpoint, 'https://example.org/weights-12345678.pth')
    refused(host._load_checkpoint, 'torchvision://resnet18')
    assert not trace.exists()


CONFIGS = {
    'model': "dict(type='os.mkdir', path={trace!r})",
    'backbone': "dict(type='ImageClassifier', backbone=dict(type='os.mkdir', path={trace!r}))",
    'popen': "dict(type='ImageClassifier', backbone=dict(type='subprocess.Popen', "
             "args=['mkdir', {trace!r}]))",
    'key with a dict': "dict({{'type': 'os.mkdir', 'path': {trace!r}}}, backbone=dict("
                       "{{'type': 'os.mkdir', 'path': {trace!r}}}))",
    'list': "dict(type='ImageClassifier', backbone=dict(type='ResNet', depth=18, plugins=["
            "dict(cfg=dict(type='os.mkdir', path={trace!r}))]))",
    'norm': "dict(type='ImageClassifier', backbone=dict(type='ResNet', depth=18, "
            "norm_cfg=dict(type='os.mkdir', path={trace!r})))",
    'module': "dict(type='ImageClassifier', backbone=dict(type='evil_module'))",
    'member of a module': "dict(type='ImageClassifier', backbone=dict(type='evil_module.Net'))",
    'scope': "dict(type='ImageClassifier', backbone=dict(type='ResNet', depth=18, "
             "_scope_='evil_module'))",
    'class of torch': "dict(type='ImageClassifier', backbone=dict(type='torch.hub.load', "
                      "repo_or_dir='x'))",
    'evaluating': "dict(type='ImageClassifier', backbone=dict(type='mmdet.models.task_modules."
                  "tracking.CameraMotionCompensation', warp_mode='1'))",
    'pickle': "dict(type='ImageClassifier', backbone=dict(type='VQAGenerationHead', "
              "answer_list_path='evil.pkl'))",
    'no text': "dict(type=5, backbone=dict(type=None))",
    'text': 'model', 'nothing': 'None',
}


@pytest.mark.parametrize('name', CONFIGS)
def test_nothing_that_a_checkpoints_config_names_is_imported_or_run(tmp_path, monkeypatch, name):
    trace = tmp_path / 'trace'
    package = tmp_path / 'evil_module'
    package.mkdir()
    for file in ('__init__.py', 'registry.py'):
        (package / file).write_text(f'import os\nos.makedirs({str(trace)!r})\n')
    monkeypatch.syspath_prepend(tmp_path)
    model = CONFIGS[name].format(trace=str(trace))
    scopes = ['mmpretrain'] + ['evil_module'] * (name == 'model')
    for scope in scopes:
        cfg = f'default_scope = {scope!r}\nmodel = {model if name != "text" else repr(model)}\n'
        file = save({'state_dict': {'backbone.w': torch.zeros(1)}, 'meta': {'cfg': cfg}},
                    tmp_path / 'evil.pth')
        refused(export_backbone, file, tmp_path / 'out.pth')
        refused(publish_model, file, tmp_path / 'out')
    assert not trace.exists() and not list(tmp_path.glob('out*'))


@pytest.mark.parametrize('key', ['cfg', 'config'])
@pytest.mark.parametrize('text', [
    'import os', 'model = __import__("os").system("true")', 'a = f"{1}"', '_base_ = open("x")',
    'a = [b for b in ()]', 'a = (lambda: 1)()', 'x.y = 1', 'del a', 'a = 1 +', '\0', '(' * 300,
    'a = ' + '-' * 100_000 + '1', 7, None, ['a'], b'a = 1'])
def test_no_config_is_anything_but_data(tmp_path, key, text):
    file = save({'state_dict': {'backbone.w': torch.zeros(1)}, 'meta': {key: text}},
                tmp_path / 'evil.pth')
    for door in (read_checkpoint, load_from_file):
        refused(door, file)


def test_a_template_in_a_config_stays_text(tmp_path, monkeypatch):
    monkeypatch.setenv('COMMAND', 'x')
    text = "custom_imports = dict(imports=['evil'])\n_base_ = './evil.py'\na = '{{$COMMAND:b}}'\n"
    file = save({'state_dict': {'w': torch.ones(1)}, 'meta': {'config': text}}, tmp_path / 'a.pth')
    assert 'config' not in host._load_checkpoint(str(file))['meta']


def test_what_a_process_allows_itself_changes_nothing(tmp_path):
    """Not for us, and ours not for it: also while other threads read."""
    trace = tmp_path / 'trace'
    allowed = [getattr, os.mkdir, np.dtype]
    good = save({'state_dict': {'w': torch.ones(1)}, 'history': HistoryBuffer([1.0], [1])},
                tmp_path / 'good.pth')
    files = [save({'state_dict': {'w': torch.zeros(1), 'x': payload}}, tmp_path / f'{index}.pth')
             for index, payload in enumerate(objects(trace).values())]
    statistics = dict(HistoryBuffer._statistics_methods)
    before = set(torch.serialization.get_safe_globals())
    try:
        torch.serialization.add_safe_globals(allowed)
        threads = [threading.Thread(target=refused, args=(read_checkpoint, file))
                   for file in files]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert read_checkpoint(good)['history'].mean() == 1
        assert set(torch.serialization.get_safe_globals()) == before | set(allowed)
    finally:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(list(before))
    assert HistoryBuffer._statistics_methods == statistics and not trace.exists()


NUMBERS = [np.float16, np.float32, np.float64, np.int8, np.int16, np.int32, np.int64, np.uint8,
           np.uint16, np.uint32, np.uint64, np.bool_, np.complex64]


@pytest.mark.parametrize('kind', NUMBERS, ids=lambda kind: kind.__name__)
def test_arrays_of_numbers_are_read_as_they_were(tmp_path, kind):
    grid = np.arange(6).astype(kind).reshape(2, 3)
    arrays = [grid, np.asfortranarray(grid), grid[0, 1], grid[:0], np.array(grid[1, 1]),
              grid.astype(grid.dtype.newbyteorder('>'))]
    read = read_checkpoint(save({'w': torch.ones(1), 'arrays': arrays}, tmp_path / 'a.pth'))
    for wanted, got in zip(arrays, read['state_dict']['arrays'], strict=True):
        assert type(got) is type(wanted) and got.dtype == wanted.dtype
        assert np.array_equal(got, wanted)


def test_structure_survives(tmp_path):
    shared = torch.arange(3.0)
    model = torch.nn.Linear(1, 1)
    value = {'state_dict': model.state_dict(), 'shared': [shared, shared], 'tuple': (1, None, 'a'),
             'set': {1}, 'history': HistoryBuffer([1.0, 2.0], [1, 2], max_length=7),
             'size': torch.Size([2])}
    read = read_checkpoint(save(value, tmp_path / 'a.pth'))
    assert read['state_dict']._metadata == model.state_dict()._metadata
    assert read['shared'][0] is read['shared'][1]
    assert (read['tuple'], read['set'], read['size']) == ((1, None, 'a'), {1}, (2,))
    history = read['history']
    assert (history.mean(), history.max_length) == (1, 7)
    history.update(3.0)
    assert history.current() == 3


def made() -> bytes:
    file = io.BytesIO()
    torch.save({'state_dict': {'a': torch.arange(40.0), 'b': torch.ones(3, 3)},
                'meta': {'epoch': 3, 'cfg': 'a = 1\n'}, 'n': np.arange(5)}, file)
    return file.getvalue()


WHOLE = made()


@given(st.integers(0, len(WHOLE) * 8 - 1))
def test_a_flipped_bit_is_noticed_or_changes_nothing(tmp_path_factory, bit):
    """Every byte of the members is under a checksum; a date in the archive's list is not."""
    file = tmp_path_factory.getbasetemp() / 'flipped.pth'
    flipped = bytearray(WHOLE)
    flipped[bit // 8] ^= 1 << bit % 8
    file.write_bytes(flipped)
    try:
        read = read_checkpoint(file)
    except CheckpointError as error:
        assert '\n' not in str(error) and 'flipped.pth' in str(error)
    else:
        assert read['meta'] == {'epoch': 3, 'cfg': 'a = 1\n'}
        assert torch.equal(read['state_dict']['a'], torch.arange(40.0))
        assert torch.equal(read['state_dict']['b'], torch.ones(3, 3))
        assert np.array_equal(read['n'], np.arange(5))


def test_the_damaged_member_is_named(tmp_path):
    damaged = WHOLE.replace(torch.arange(40.0).numpy().tobytes(),
                            torch.arange(40.0).neg().numpy().tobytes())
    assert damaged != WHOLE
    (tmp_path / 'a.pth').write_bytes(damaged)
    assert 'damaged in ' in (said := refused(read_checkpoint, tmp_path / 'a.pth'))
    assert '/data/0 ' in said


def test_a_detectors_weights_are_read_safely_too(tmp_path):
    trace = tmp_path / 'trace'
    file = save({'state_dict': {'x': objects(trace)['mkdir']}}, tmp_path / 'evil.pth')
    with DefaultScope.overwrite_default_scope('mmdet'):
        neck = MODELS.build({'type': 'mmdet.FPN', 'in_channels': [4], 'out_channels': 4,
                             'num_outs': 1, 'init_cfg': {
                                 'type': 'Pretrained', 'checkpoint': str(file)}})
    refused(neck.init_weights)
    assert not trace.exists()
