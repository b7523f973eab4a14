import json

import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope

from auglocal_mm.lab.depth.local_accuracy import main

CONFIG = 'configs/demo/resnet34-slim_digits_auglocal.py'


def test_measures_a_checkpoint(root, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(root)
    config = Config.fromfile(CONFIG)
    init_default_scope('mmpretrain')
    model = MODELS.build(dict(config.model, data_preprocessor=config.data_preprocessor))
    torch.save({'state_dict': model.state_dict()}, tmp_path / 'model.pth')
    main([CONFIG, str(tmp_path / 'model.pth'), '--out', str(tmp_path / 'out.json')])
    measured = json.loads((tmp_path / 'out.json').read_text())
    assert measured['samples'] == 360
    assert measured['plan'] == json.loads(json.dumps(model.plan.to_dict()))
    names = [layer.name for layer in model.plan.layers if layer.auxiliary is not None]
    assert list(measured['accuracy']) == [*names, 'head']
    assert len(capsys.readouterr().out.splitlines()) >= len(names) + 1
