import json

import pytest

from auglocal_mm.lab.demo.measure_detectors import main


def test_each_config_is_measured_at_its_own_batch_size_from_the_same_seed(
        tmp_path, monkeypatch, capsys):
    import torch

    draws = []

    def measure(config):
        draws.append(float(torch.rand(1)))
        return config.saved

    monkeypatch.setattr('auglocal_mm.lab.measure.memory.training_memory_mb', measure)
    paths = []
    for name, saved in (('a', 17.25), ('b', 12.5)):
        paths.append(tmp_path / f'{name}.py')
        paths[-1].write_text(f'saved = {saved}\ntrain_dataloader = dict(batch_size=4)\n')
    main([*map(str, paths), '--out', str(tmp_path / 'out.json')])
    assert json.loads((tmp_path / 'out.json').read_text()) == {
        'a': {'saved_activations_mb': 17.25, 'batch_size': 4},
        'b': {'saved_activations_mb': 12.5, 'batch_size': 4}}
    assert draws[0] == draws[1]
    assert '17.25 MiB' in capsys.readouterr().out


@pytest.mark.slow
def test_local_training_saves_memory(root, tmp_path, monkeypatch):
    from mmengine.config import Config

    monkeypatch.chdir(tmp_path)
    paths = []
    for method in ('bp', 'local'):
        config = Config.fromfile(root / f'configs/demo/mask-rcnn_digit-scenes_{method}.py')
        config.model.backbone.init_cfg = None
        paths.append(tmp_path / f'{method}.py')
        config.dump(paths[-1])
    main([*map(str, paths), '--out', 'out.json'])
    saved = {name: each['saved_activations_mb']
             for name, each in json.loads((tmp_path / 'out.json').read_text()).items()}
    assert saved['local'] < 0.8 * saved['bp']
