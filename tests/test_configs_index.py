"""metafile.yml and model-index.yml list every config, truthfully, where mim looks for them."""
import re
from pathlib import Path

import pytest
import yaml
from config_files import CONFIGS, ROOT, dataset_of, docstring, parse
from modelindex.load_model_index import load

from auglocal_mm.lab.measure.complexity import complexity_of_config

FOLDERS = sorted(path.name for path in CONFIGS.iterdir()
                 if path.is_dir() and path.name != '_base_')
NAMES = {'cifar10': 'CIFAR-10', 'svhn': 'SVHN', 'stl10': 'STL-10', 'imagenet': 'ImageNet-1k',
         'digits': 'Digits', 'digit-scenes': 'Digit scenes'}
COUNTS = {'FLOPs': 'backbone_flops', 'Parameters': 'backbone_params',
          'Training FLOPs': 'flops', 'Training Parameters': 'params'}


def entries(folder):
    index = yaml.safe_load((CONFIGS / folder / 'metafile.yml').read_text(encoding='utf-8'))
    collections = {each['Name'] for each in index['Collections']}
    assert {model['In Collection'] for model in index['Models']} == collections
    return index['Models']


@pytest.mark.parametrize('folder', FOLDERS)
def test_a_folder_and_its_metafile_list_the_same_configs(folder):
    listed = [model['Config'] for model in entries(folder)]
    files = [f'configs/{folder}/{path.name}' for path in (CONFIGS / folder).glob('*.py')]
    assert sorted(listed) == sorted(files)


@pytest.mark.parametrize('folder', FOLDERS)
def test_what_a_metafile_says_is_what_the_config_does(folder):
    for model in entries(folder):
        path = ROOT / model['Config']
        cfg, metadata = parse(path), model['Metadata']
        assert model['Name'] == Path(cfg.work_dir).name
        assert metadata['Epochs'] == cfg.train_cfg.max_epochs
        started = re.search(r'dist_train\.sh (\S+) (\d+)', docstring(path))
        gpus = int(started[2]) if started else 1
        assert metadata['Batch Size'] == gpus * cfg.train_dataloader.batch_size
        data = 'COCO' if path.stem.endswith('_coco') else NAMES[dataset_of(path)]
        assert metadata['Training Data'] == data
        # The paper's results are not ours, and no weights are published.
        assert set(model) == {'Name', 'In Collection', 'Config', 'Metadata'}


def test_the_index_imports_every_metafile():
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text(encoding='utf-8'))
    assert index == {'Import': index['Import']}
    assert sorted(index['Import']) == [f'configs/{name}/metafile.yml' for name in FOLDERS]


def test_hosts_find_the_models_of_an_installed_package(tmp_path, monkeypatch):
    """As mim and mmpretrain do: everything is read from `.mim`, by names used once."""
    from mmpretrain.apis import ModelHub
    mim = tmp_path / 'auglocal_mm' / '.mim'
    mim.mkdir(parents=True)
    for name in ('configs', 'model-index.yml'):
        (mim / name).symlink_to(ROOT / name)
    index = load(str(mim / 'model-index.yml'))
    assert all(each.readme for each in index.collections)
    assert not index.check(silent=True)  # READMEs are files beside their metafiles
    monkeypatch.setattr(ModelHub, '_models_dict', {})
    ModelHub.register_model_index(mim / 'model-index.yml', config_prefix=mim)
    configs = {path for folder in FOLDERS for path in (CONFIGS / folder).glob('*.py')}
    found = {Path(model.config).resolve() for model in ModelHub._models_dict.values()}
    assert found == configs
    config = ModelHub._models_dict['resnet110_cifar10_infopro'].config
    assert parse(Path(config)).model.local.type == 'auglocal_mm.InfoPro'


@pytest.mark.parametrize('name', [
    'auglocal/resnet32_svhn', 'dgl/resnet32_stl10', 'infopro/resnet32_cifar10_contrast'])
def test_flops_and_parameters_are_those_of_get_complexity(name):
    check_counts(name)


@pytest.mark.slow
@pytest.mark.parametrize('folder', FOLDERS)
def test_all_flops_and_parameters(folder):
    for model in entries(folder):
        if 'FLOPs' in model['Metadata']:
            check_counts(model['Config'].removeprefix('configs/').removesuffix('.py'))


def check_counts(name):
    path = CONFIGS / f'{name}.py'
    entry = next(model for model in entries(path.parent.name)
                 if model['Config'] == f'configs/{name}.py')
    counted = complexity_of_config(str(path)).to_dict()
    assert {key: entry['Metadata'][key] for key in COUNTS} == {
        key: counted[value] for key, value in COUNTS.items()}
