"""Names, first lines, batches, learning rates and epochs of the configs are the paper's."""
import re
from pathlib import Path

import pytest
from config_files import (
    CLASSIFIERS,
    CONFIGS,
    DETECTOR_FOLDERS,
    DETECTORS,
    HOSTS_OWN,
    LOCAL_DETECTORS,
    MMDETS_OWN,
    RULES,
    dataset_of,
    docstring,
    net_of,
    parse,
    relative,
)

from auglocal_mm.config.walk import dicts_in

# Section 6: images a step on all GPUs, learning rate, epochs.
BY_DATASET = {'cifar10': (1024, 0.8, 400), 'svhn': (1024, 0.8, 400), 'stl10': (128, 0.1, 400)}
IMAGENET = {'vgg13': (256, 0.1, 90), 'resnet34': (1024, 0.4, 200), 'resnet101': (512, 0.2, 200)}
GPUS = {'cifar10': 1, 'svhn': 1, 'stl10': 1, 'imagenet': 8}
# Mean, standard deviation, side of the images that are trained on, padding, and flips.
DATA = {
    'cifar10': ([125.3, 123.0, 113.9], [63.0, 62.1, 66.7], 32, (4, 'reflect'), True),
    'svhn': ([127.5] * 3, [127.5] * 3, 32, (2, 'constant'), False),
    'stl10': ([127.5] * 3, [127.5] * 3, 96, (4, 'constant'), True),
    'imagenet': ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375], 224, None, True)}
NETS = ('resnet32', 'resnet110', 'vgg19')
CONVNETS = ('mobilenet-v2', 'efficientnet-b0', 'regnetx-400mf')
COMPARED = ('dgl', 'predsim', 'infopro')
VARIANTS = {  # of one cell of the appendix: Tables 4, 5 and 8, and InfoPro's other loss
    *(f'{rule}/resnet110_cifar10_comparable-flops' for rule in COMPARED),
    *(f'auglocal/resnet110_cifar10_{row}' for row in (
        'repetitive-ds2', 'repetitive2', 'repetitive-ds12', 'repetitive-ds1-repetitive2',
        'conv3x3-ds', 'infopro-loss')),
    *(f'infopro/{net}_cifar10_contrast' for net in ('resnet32', 'resnet110'))}
# Top-1 on CIFAR-10 that the paper prints for exactly this config.
PUBLISHED = {
    'bp/resnet110': '94.61 +- 0.18', 'auglocal/resnet110': '93.96 +- 0.15',
    'dgl/resnet110': '85.69 +- 0.32', 'predsim/resnet110': '74.95 +- 0.36',
    'infopro/resnet110': '86.95 +- 0.46',
    'bp/mobilenet-v2': '94.89 +- 0.15', 'auglocal/mobilenet-v2': '94.52 +- 0.08',
    'bp/efficientnet-b0': '93.52 +- 0.15', 'auglocal/efficientnet-b0': '93.13 +- 0.08',
    'bp/regnetx-400mf': '95.70 +- 0.12', 'auglocal/regnetx-400mf': '95.09 +- 0.10',
    'auglocal/resnet110_repetitive-ds2': '92.75 +- 0.09',
    'auglocal/resnet110_repetitive2': '91.73 +- 0.11',
    'auglocal/resnet110_repetitive-ds12': '91.40 +- 0.08',
    'auglocal/resnet110_repetitive-ds1-repetitive2': '89.92 +- 0.37',
    'auglocal/resnet110_conv3x3-ds': '88.28 +- 0.24',
    'auglocal/resnet110_infopro-loss': '94.02 +- 0.09',
    'dgl/resnet110_comparable-flops': '90.01 +- 0.05',
    'predsim/resnet110_comparable-flops': '88.34 +- 0.34',
    'infopro/resnet110_comparable-flops': '92.10 +- 0.17'}
OTHER_FIGURES = ('auglocal/resnet34_imagenet.py', 'bp/resnet34_imagenet.py')  # COCO's AP


def test_every_cell_of_the_appendix_has_its_config():
    cells = {f'{rule}/{net}_{data}' for rule in RULES for net in NETS for data in BY_DATASET}
    for rule in ('bp', 'auglocal'):
        cells |= {f'{rule}/{net}_cifar10' for net in CONVNETS}
        cells |= {f'{rule}/{net}_imagenet' for net in IMAGENET}
    beyond = {'auglocal/deit-small_imagenet', 'auglocal/convnext-tiny_imagenet'}
    assert {relative(path)[:-3] for path in CLASSIFIERS} == cells | VARIANTS | beyond
    assert {relative(path)[:-3] for path in HOSTS_OWN} == beyond


def test_every_detector_has_its_configs():
    """Five on each pretrained backbone; and Mask R-CNN trained in two and four modules."""
    pretrained = {f'{folder}/{name}_{net}_{rule}_fpn_adamw_1x_coco.py'
                  for folder, (name, _) in DETECTOR_FOLDERS.items()
                  for net in ('r34', 'r101', 'vgg13') for rule in ('bp', 'auglocal')}
    local = {f'mask_rcnn/mask-rcnn_{rest}_coco.py' for rest in (
        *(f'{net}-local-k{modules}_fpn_{schedule}' for modules in (2, 4) for net, schedule in (
            ('r34', 'adamw_1x'), ('r50', '1x'), ('r101', 'adamw_1x'))),
        'swin-t-local-k4_fpn_1x', 'convnext-t-local-k4_fpn_amp-ms-crop-3x')}
    assert set(map(relative, DETECTORS)) == pretrained | local
    assert set(map(relative, LOCAL_DETECTORS)) == local
    assert {path.stem.split('_')[1] for path in MMDETS_OWN} == {
        'r50-local-k2', 'r50-local-k4', 'swin-t-local-k4', 'convnext-t-local-k4'}


def gpus_of(path):
    """How many processes the first command of the docstring starts."""
    command = re.search(rf'^    (tools/\S+) configs/{re.escape(relative(path))}( \d+)?$',
                        docstring(path), flags=re.MULTILINE)
    assert command, 'the docstring has no command that runs this very file'
    assert (command[1], command[2] is None) in (('tools/train.py', True),
                                                ('tools/dist_train.sh', False))
    return int(command[2] or 1)


def total_batch(path):
    """Images of a step on all GPUs; what the docstring says of them must agree."""
    gpus, each = gpus_of(path), parse(path).train_dataloader.batch_size
    text = ' '.join(docstring(path).split())
    said = re.search(r'(\d+) GPUs x (\d+) images', text)
    if gpus > 1 or said:
        assert said and (int(said[1]), int(said[2])) == (gpus, each)
    for batch in re.findall(r'[Oo]ne GPU, batch (\d+)', text):
        assert (gpus, each) == (1, int(batch))
    for epochs in re.findall(r'(\d+) epochs', text):
        assert parse(path).train_cfg.max_epochs == int(epochs)
    assert gpus * each == parse(path).auto_scale_lr.base_batch_size
    return gpus * each


@pytest.mark.parametrize('path', [*CLASSIFIERS, *DETECTORS], ids=relative)
def test_batches_of_all_gpus_are_those_of_the_learning_rate(path):
    if path not in HOSTS_OWN:
        assert total_batch(path) == (16 if path in DETECTORS else paper(path)[0])
        return
    # mmpretrain's names say it: <net>_<GPUs>xb<batch>_<data set>.
    base = re.search(r"_base_ = 'mmpretrain::\S+_(\d+)xb(\d+)_", path.read_text())
    assert total_batch(path) == int(base[1]) * int(base[2])
    assert gpus_of(path) == int(base[1])


def paper(path):
    return BY_DATASET.get(dataset_of(path)) or IMAGENET[net_of(path)]


@pytest.mark.parametrize('path', [p for p in CLASSIFIERS if p not in HOSTS_OWN], ids=relative)
def test_the_optimizer_and_the_schedule_are_the_papers(path):
    cfg = parse(path)
    _, lr, epochs = paper(path)
    assert gpus_of(path) == GPUS[dataset_of(path)]
    assert cfg.optim_wrapper.to_dict() == dict(
        type='auglocal_mm.AugLocalOptimWrapper',
        optimizer=dict(type='SGD', lr=lr, momentum=0.9, weight_decay=1e-4, nesterov=True))
    assert cfg.train_cfg.to_dict() == dict(by_epoch=True, max_epochs=epochs, val_interval=1)
    if dataset_of(path) == 'imagenet':
        assert cfg.param_scheduler == dict(type='CosineAnnealingLR', T_max=epochs, by_epoch=True)
    else:
        assert cfg.param_scheduler == dict(type='auglocal_mm.WarmupCosineLR', epochs=epochs,
                                           warmup_epochs=10, warmup_lr=0.01)


@pytest.mark.parametrize('path', [p for p in CLASSIFIERS if p not in HOSTS_OWN], ids=relative)
def test_the_images_are_prepared_as_the_paper_says(path):
    cfg, (mean, std, side, padding, flips) = parse(path), DATA[dataset_of(path)]
    assert (cfg.data_preprocessor.mean, cfg.data_preprocessor.std) == (mean, std)
    steps = {step.type: step for step in cfg.train_dataloader.dataset.pipeline}
    assert ('RandomFlip' in steps) == flips
    if padding:
        crop = steps['RandomCrop' if padding[1] == 'constant' else 'auglocal_mm.PaddedRandomCrop']
        assert (crop.crop_size, crop.padding, crop.get('padding_mode', 'constant')) == (
            side, *padding)
        assert [step.type for step in cfg.test_dataloader.dataset.pipeline] == ['PackInputs']
    else:
        assert steps['RandomResizedCrop'].scale == side
        sizes = [(step.type, step.get('scale', step.get('crop_size')))
                 for step in cfg.test_dataloader.dataset.pipeline]
        assert sizes[1:3] == [('ResizeEdge', 256), ('CenterCrop', side)]
    splits = [cfg[f'{part}_dataloader'].dataset.split for part in ('train', 'val', 'test')]
    assert splits == ['train', *['val' if dataset_of(path) == 'imagenet' else 'test'] * 2]
    assert cfg.model.head.get('num_classes', cfg.model.backbone.get('num_classes')) == (
        cfg.data_preprocessor.num_classes)


def test_detectors_are_trained_alike_for_12_epochs():
    for path in DETECTORS:
        cfg = parse(path)
        assert cfg.work_dir == f'work_dirs/{path.stem}'
        if path in MMDETS_OWN:
            continue
        wrapper = 'auglocal_mm.AugLocalOptimWrapper' if path in LOCAL_DETECTORS else 'OptimWrapper'
        assert cfg.optim_wrapper.to_dict() == dict(
            type=wrapper, optimizer=dict(type='AdamW', lr=1e-4, weight_decay=0.05))
        assert cfg.train_cfg.max_epochs == 12
        assert cfg.param_scheduler[1].milestones == [8, 11]


@pytest.mark.parametrize('path', LOCAL_DETECTORS, ids=relative)
def test_three_settings_make_a_detector_local(path):
    """Its twin is trained by back-propagation; all else is the same."""
    twin = (mmdets_own(MMDETS_OWN[path]) if path in MMDETS_OWN else
            parse(path.with_name(re.sub(r'-local-k\d', '_auglocal', path.name))))
    ours, other = parse(path).to_dict(), twin.to_dict()
    model = ours['model']
    assert model.pop('local') == dict(
        type='auglocal_mm.AugLocal', depth=3,
        modules=int(re.search(r'-local-k(\d)_', path.name)[1]), balance='memory')
    assert model.pop('type') == 'auglocal_mm.LocalDetector'
    model['type'] = model.pop('detector')
    assert ours.pop('model_wrapper_cfg') == dict(type='auglocal_mm.LocalDistributedDataParallel')
    wrappers = [cfg.pop('optim_wrapper') for cfg in (ours, other)]
    assert wrappers[0].pop('type') == 'auglocal_mm.AugLocalOptimWrapper'
    precision = {'OptimWrapper': None, 'AmpOptimWrapper': 'float16'}[wrappers[1].pop('type')]
    assert wrappers[0].pop('dtype', None) == precision
    for cfg in (ours, other, *wrappers):
        cfg.pop('work_dir', None)
        for _, part in dicts_in(cfg):
            part.pop('_scope_', None)  # mmengine's mark of what comes from another package
    assert (ours, wrappers[0]) == (other, wrappers[1])
    assert '_delete_' not in path.read_text()


def mmdets_own(name):
    import mmdet
    return parse(Path(mmdet.__file__).parent / '.mim' / 'configs' / name.partition('::')[2])


@pytest.mark.parametrize('path', [p for p in CLASSIFIERS if p not in HOSTS_OWN], ids=relative)
def test_the_expected_result_is_the_papers_or_none(path):
    cell = relative(path)[:-3]
    figure = PUBLISHED.get(cell.replace('_cifar10', '')) if '_cifar10' in cell else None
    text = ' '.join(docstring(path).split())
    expected = text[text.index('Expected: '):]
    if figure:
        assert f'{figure} % top-1' in expected
        assert 'paper' in expected or 'paper' in text
    elif relative(path) not in OTHER_FIGURES:
        assert expected.startswith('Expected: no published figure available.')
    assert text.endswith('Not yet run at this length by this project.')


@pytest.mark.parametrize('path', DETECTORS, ids=relative)
def test_the_expected_result_of_a_detector_is_the_papers_or_none(path):
    text = ' '.join(docstring(path).split())
    figures = {'auglocal': '36.2 box AP and 33.4 mask AP', 'bp': '36.3 box AP and 33.8 mask AP'}
    cell = re.fullmatch(r'mask-rcnn_r34_(bp|auglocal)_\S+', path.stem)
    expected = f'{figures[cell[1]]} in the paper' if cell else 'no published figure available.'
    assert f'Expected: {expected}' in text
    assert 'Not yet run at this length by this project.' in text
    if path not in MMDETS_OWN:
        backbone = parse(path).model.backbone.init_cfg.checkpoint
        folder, net = re.fullmatch(r'work_dirs/((?:resnet|vgg)\d+)_imagenet_(\w+)/backbone\.pth',
                                   backbone).group(2, 1)
        assert f'`configs/{folder}/{net}_imagenet.py`' in text


@pytest.mark.parametrize('path', [p for p in [*CLASSIFIERS, *DETECTORS]
                                  if p not in HOSTS_OWN and p not in MMDETS_OWN], ids=relative)
def test_bases_are_at_most_two_levels_deep(path):
    """Ours inherit fragments, and a fragment inherits nothing."""
    import ast
    names = {node.targets[0].id: node.value for node in ast.parse(path.read_text()).body
             if isinstance(node, ast.Assign)}
    bases = [path.parent / base for base in ast.literal_eval(names['_base_'])]
    assert bases and all(CONFIGS / '_base_' in base.resolve().parents for base in bases)
    assert not any('_base_ =' in base.read_text() for base in bases)
    assert '_delete_' not in path.read_text()
