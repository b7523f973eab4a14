"""Known peaks of ResNet-110 on 32×32 images at batch 16."""
import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, init_default_scope
from mmpretrain.structures import DataSample

from auglocal_mm.lab.measure.memory import saved_activations_mb, training_memory_mb

RULES = {
    'bp': (None, 129.0),
    'auglocal': ({'type': 'auglocal_mm.AugLocal', 'depth': 2, 'tau': 0.5}, 10.0),
}


@pytest.mark.parametrize('rule', RULES)
def test_resnet110(rule):
    init_default_scope('mmpretrain')
    local, expected = RULES[rule]
    config = {
        'type': 'ImageClassifier',
        'backbone': {'type': 'auglocal_mm.ResNetCIFAR', 'depth': 110},
        'neck': {'type': 'GlobalAveragePooling'},
        'head': {'type': 'LinearClsHead', 'num_classes': 10, 'in_channels': 64,
                 'loss': {'type': 'CrossEntropyLoss'}},
        'data_preprocessor': {'type': 'ClsDataPreprocessor', 'mean': [0], 'std': [1]},
    }
    wrapper = {'type': 'OptimWrapper', 'optimizer': {'type': 'SGD', 'lr': 0.1}}
    if local is not None:
        config |= {'type': 'auglocal_mm.LocalImageClassifier', 'local': local}
        wrapper['type'] = 'auglocal_mm.AugLocalOptimWrapper'
    model = MODELS.build(config).train()
    optim_wrapper = build_optim_wrapper(model, wrapper)
    batch = {'inputs': torch.randn(16, 3, 32, 32),
             'data_samples': [DataSample().set_gt_label(i % 10) for i in range(16)]}
    measured = saved_activations_mb(
        lambda: model.train_step(batch, optim_wrapper), exclude=model)
    assert measured == pytest.approx(expected, abs=0.05)


def test_a_config_is_measured_at_its_batch_size(root):
    config = Config.fromfile(root / 'configs/demo/resnet34-slim_digits_bp.py')
    one, two = (training_memory_mb(config, batch_size=size) for size in (8, 16))
    # Activations grow with the batch; a BatchNorm's saved statistics do not.
    assert 1.9 < two / one < 2
