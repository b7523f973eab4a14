import json

import pytest
import torch
from mmengine.config import Config

from auglocal_mm.lab.demo.measure import main
from auglocal_mm.lab.measure.memory import training_memory_mb
from auglocal_mm.lab.measure.trained_model import build_classifier


@pytest.mark.parametrize('method', ['bp', 'auglocal'])
def test_measures_what_the_separate_commands_measure(method, root, tmp_path, monkeypatch):
    monkeypatch.chdir(root)
    path = f'configs/demo/resnet34-slim_digits_{method}.py'
    config = Config.fromfile(path)
    model = build_classifier(config)
    torch.save({'state_dict': model.state_dict()}, tmp_path / 'model.pth')
    main([path, str(tmp_path / 'model.pth'), '--out', str(tmp_path / 'out.json')])
    measured = json.loads((tmp_path / 'out.json').read_text())
    names = [layer.name for layer in model.plan.layers if layer.auxiliary is not None]
    assert list(measured['accuracy']) == [*names, 'head']
    assert bool(names) == (method == 'auglocal')
    assert measured['samples'] == 360
    assert measured['batch_size'] == config.train_dataloader.batch_size
    assert measured['saved_activations_mb'] == pytest.approx(training_memory_mb(config))
