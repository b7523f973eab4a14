"""The worked examples of docs/ and of configs/README.md run as they are."""
import copy
import importlib
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from detectors import build, detector_cfg, images
from mmengine.config import Config
from mmengine.registry import HOOKS, MODELS, DefaultScope
from small import CLASSES, KeepGradients, auglocal, batch, classifier, gradients

import auglocal_mm
from auglocal_mm import AugLocalOptimWrapper, LocalImageClassifier
from auglocal_mm.partition import join, partition
from auglocal_mm.registry import DETECTION_LOSSES, LOCAL_LOSSES, LOCAL_RULES
from auglocal_mm.rules import build_rule

DOCS = Path(__file__).resolve().parent.parent / 'docs'


def examples(page):
    """Python blocks of a page, by their first line's file name or by number."""
    blocks = re.findall(r'```python\n(.*?)```', (DOCS / page).read_text(), flags=re.DOTALL)
    named = {}
    for number, block in enumerate(blocks):
        first = block.splitlines()[0]
        named[first.removeprefix('# ') if first.startswith('# my_project/') else number] = block
    return named


@pytest.fixture
def my_project(tmp_path, monkeypatch):
    """The package that the pages have a reader write."""
    for page in ('rules.md', 'backbones.md', 'extending.md', 'detection.md'):
        for name, block in examples(page).items():
            if isinstance(name, str):
                path = tmp_path / name
                path.parent.mkdir(exist_ok=True)
                path.write_text(block)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path / 'my_project'
    for name in [name for name in sys.modules if name.startswith('my_project')]:
        del sys.modules[name]
    for rule in ('WideConvolution', 'Pairs'):
        LOCAL_RULES.module_dict.pop(rule, None)
    HOOKS.module_dict.pop('GradientNormHook', None)
    LOCAL_LOSSES.module_dict.pop('smoothness', None)
    DETECTION_LOSSES.module_dict.pop('objectness', None)


def train(model):
    optimizer = KeepGradients(model.train())
    logs = model.train_step(batch(), AugLocalOptimWrapper(optimizer))
    assert set(optimizer.seen[0]) == set(dict(model.named_parameters()))
    return logs


def test_a_rule_of_ones_own(my_project):
    cfg = Config.fromfile(my_project / 'config.py')  # imports the rule
    assert cfg.model.type == 'auglocal_mm.LocalImageClassifier'
    model = classifier(cfg.model.local)
    assert model.plan.modules == 4
    assert model.plan.layers[1].auxiliary.notation(10) == '32C3-AP-10FC'
    step = next(model.train().local_steps(*batch().values()))
    assert set(step.losses) == {'loss', 'loss_similarity'}
    train(model)
    with pytest.raises(ValueError, match='width must be at least 1, got 0'):
        classifier({**cfg.model.local, 'width': 0})
    with pytest.raises(ValueError, match="unknown key 'widht'; did you mean 'width'"):
        classifier({'type': 'WideConvolution', 'widht': 3})


def test_a_second_loss_of_ones_own(my_project):
    importlib.import_module('my_project.smooth_loss')
    train(classifier(auglocal(3, second_loss='smoothness', lambda1=(0.1, 0.1))))


def test_a_backbone_of_ones_own(my_project):
    net = importlib.import_module('my_project.plain_net').PlainNet()
    images = torch.randn(2, 3, 16, 16)
    assert torch.equal(join(partition(net), net)(images)[0], net(images)[0])
    model = classifier(auglocal(2, modules=4), backbone=net, head={
        'type': 'LinearClsHead', 'num_classes': 4, 'in_channels': 64})
    assert model.plan.layers[0].auxiliary.notation(10) == '64C3-AP-10FC'
    assert [layer.auxiliary.strides for layer in model.plan.layers[:3]] == [(2,), (2,), (2,)]
    train(model)


def test_a_plain_sequential(capsys):
    names = {}
    exec(examples('backbones.md')[1], names)
    model = names['model']
    assert isinstance(model, LocalImageClassifier) and model.plan.modules == 3
    assert '3 units in 3 local modules' in capsys.readouterr().out
    train(model)


def test_a_listener_of_ones_own(my_project):
    module = importlib.import_module('my_project.gradient_norms')
    model, hook = classifier(auglocal(3)), module.GradientNormHook()
    said = []
    hook.before_train(SimpleNamespace(model=model))
    train(model)
    hook.after_train_epoch(SimpleNamespace(logger=SimpleNamespace(info=said.append)))
    assert len(hook.listener.norms) == model.plan.modules
    largest = max(hook.listener.norms.values())
    assert f'largest gradient: {largest:.3g} in local module' in said[0]


def test_modules_run_by_hand():
    by_hand, _ = (block for name, block in examples('extending.md').items()
                  if isinstance(name, int))
    names: dict = {}
    exec(by_hand, names)
    model = classifier(auglocal(2)).train()
    twin, data = copy.deepcopy(model), batch()
    names['train_in_two_parts'](model, **data)
    optimizer = KeepGradients(twin)
    twin.train_step(data, AugLocalOptimWrapper(optimizer))
    assert all(torch.equal(value, optimizer.seen[0][name])
               for name, value in gradients(model).items())


def test_modules_that_overlap(my_project):
    importlib.import_module('my_project.pairs')
    model = classifier({'type': 'Pairs', 'depth': 2})
    assert [(span.start, span.stop) for span in model.plan.spans] == [
        (unit, unit + 2) for unit in range(9)]
    train(model)


def test_a_model_of_ones_own():
    _, own = (block for name, block in examples('extending.md').items() if isinstance(name, int))
    names: dict = {}
    exec(own, names)
    model = classifier(auglocal(3))
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        mine = names['MyClassifier'](
            auglocal(3), backbone=model.backbone, neck={'type': 'GlobalAveragePooling'},
            head={'type': 'LinearClsHead', 'num_classes': CLASSES, 'in_channels': 16},
            data_preprocessor={'type': 'ClsDataPreprocessor', 'num_classes': CLASSES})
    train(mine)
    assert mine.state_dict().keys() == model.state_dict().keys()


def test_a_detection_loss_of_ones_own(my_project):
    importlib.import_module('my_project.objectness')
    model = build(detector_cfg(), local=auglocal(3, modules=2), local_loss='objectness')
    assert str(model.plan.losses[0].auxiliary) == '64C3-objectness@8'
    with DefaultScope.overwrite_default_scope('mmdet'):
        model.train_step(images(), AugLocalOptimWrapper(KeepGradients(model)))


def test_the_configs_of_the_detection_page(tmp_path):
    blocks = examples('detection.md')
    written = {block.splitlines()[0].split('/')[-1]: block for block in blocks.values()
               if block.startswith('# configs/')}
    for name, block in written.items():
        (tmp_path / name).write_text(block)
    cfg = Config.fromfile(tmp_path / 'mask-rcnn_local_two.py')
    assert cfg.optim_wrapper.type == 'auglocal_mm.AugLocalOptimWrapper'
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model = MODELS.build(cfg.model)
    assert len(model.plan.losses) == 6 and model.plan.modules == 4


def test_the_transformers_config_builds():
    from auglocal_mm.lab.measure.config_model import build_model
    path = DOCS.parent / 'configs/auglocal/deit-small_imagenet.py'
    for line in examples('backbones.md')[0].strip().splitlines():
        assert line in path.read_text()
    assert build_model(Config.fromfile(path), str(path)).plan.modules == 13


@pytest.mark.parametrize(('page', 'rule'), [
    ('rules.md', name) for name in ('AugLocal', 'DGL', 'PredSim', 'InfoPro', 'Backprop')])
def test_every_rule_has_its_section_and_its_config_line(page, rule):
    text = (DOCS / page).read_text()
    assert f'\n## {rule}\n' in text
    line = re.search(rf"\n    (local=dict\(type='auglocal_mm.{rule}'.*\))", text).group(1)
    local = eval(line.removeprefix('local='))
    classifier(local)
    LOCAL_RULES.import_from_location()
    assert rule in LOCAL_RULES.module_dict


CONFIGS_PAGE = '../configs/README.md'


def test_configs_of_ones_own(tmp_path):
    """By inheritance from the installed package, whole or by a fragment."""
    if not (Path(auglocal_mm.__file__).parent / '.mim').exists():
        pytest.skip('auglocal_mm:: needs the package installed')
    whole, fragment = (read_config(block, tmp_path) for block in examples(CONFIGS_PAGE).values())
    assert whole.model.local == dict(type='auglocal_mm.AugLocal', depth=4, tau=0.5)
    assert (whole.train_dataloader.batch_size, whole.work_dir) == (256, 'work_dirs/mine')
    assert whole.auto_scale_lr == dict(enable=True, base_batch_size=1024)
    assert fragment.model.local.modules == 17 and fragment.model.backbone.depth == 34


def read_config(text, tmp_path):
    path = tmp_path / 'config.py'
    path.write_text(text)
    return Config.fromfile(path)


def test_commands_of_the_configs_page_name_configs_and_settings():
    text = (DOCS / CONFIGS_PAGE).read_text()
    commands = re.findall(r'^    tools/(?:\S*/)?(\w+)\.py (\S+)', text, flags=re.MULTILINE)
    assert {tool for tool, _ in commands} == {'train', 'get_complexity'}
    for _, path in commands:
        cfg = Config.fromfile(DOCS.parent / path)
        for key, value in re.findall(r'([\w.]+)=([\d.]+)', ' '.join(re.findall(
                r'--cfg-options (.*)', text))):
            cfg.merge_from_dict({key: float(value) if '.' in value else int(value)})
        build_rule(cfg.model.local)
    for name in re.findall(r'`((?:auglocal|dgl|infopro|mask_rcnn)/[\w-]+\.py)`', text):
        assert (DOCS.parent / 'configs' / name).is_file()
