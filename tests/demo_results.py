"""Small made results and evidence, of the shape that the demo writes."""
import base64
import io
from typing import Any

import numpy as np
from PIL import Image

from auglocal_mm.lab.scenes.scene_view import mask_outline

UNITS = ('stem', 'layer1.0', 'layer1.1', 'layer2.0')


def made_results() -> dict[str, Any]:
    """Results that keep every limit."""
    ap = {'bbox_mAP': 0.762, 'bbox_mAP_50': 0.95, 'segm_mAP': 0.7, 'segm_mAP_50': 0.94,
          'saved_activations_mb': 17.3}
    return {
        'classification': {'bp': {'top1': 97.2}, 'auglocal': {'top1': 96.4}},
        'detection': {'bp': ap, 'auglocal': {**ap, 'bbox_mAP': 0.751},
                      'local': {**ap, 'bbox_mAP': 0.742, 'saved_activations_mb': 12.2}},
        'memory': {
            'bp': {'saved_activations_mb': 20.4}, 'auglocal': {'saved_activations_mb': 2.9},
        },
        'seconds': {'data': 3.0, 'classification': 150.0, 'total': 420.5},
        'cpu_seconds': {'data': 2.0, 'classification': 290.0, 'total': 800.0},
        'versions': {'python': '3.11.2', 'torch': '2.11.0', 'auglocal_mm': '0.1.0'},
        'hardware': {'cpu': 'A <fast> processor', 'cores': 2, 'memory_gib': 15.6,
                     'system': 'Linux x86_64', 'accelerator': None},
        'seed': 0,
        'command': 'python tools/demo.py --seed 0',
        'finished': '2026-01-02 03:04 UTC',
    }


def _curves(metric: str, *, best: float, key: str) -> dict[str, Any]:
    steps = list(range(10, 101, 10))
    epochs = list(range(1, 6))
    return {
        'train': {key: {'steps': steps, 'values': [2.3 * 0.8**i for i in range(10)]}},
        'val': {metric: {'steps': epochs, 'values': [best * (1 - 0.5**e) for e in epochs]}},
        'local': {},
    }


def _plan() -> dict[str, Any]:
    layers = [{
        'name': name, 'channels': 16, 'stride': 1, 'module': module,
        'auxiliary': None if name == UNITS[-1] else {
            'depth': 2, 'batch_norm_before_fc': True,
            'blocks': [{'channels': 32, 'stride': 2, 'source': 'layer2.0'}]},
    } for module, name in enumerate(UNITS)]
    return {'units': len(UNITS), 'modules': len(UNITS), 'layers': layers}


def _scene() -> dict[str, Any]:
    pixels = np.random.RandomState(0).randint(0, 255, (64, 64, 3)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, 'PNG')
    mask = np.zeros((64, 64), bool)
    mask[20:40, 10:30] = True
    found = {'label': '7', 'box': [10, 20, 20, 20], 'outline': mask_outline(mask)}
    return {
        'png': base64.b64encode(buffer.getvalue()).decode(), 'width': 64, 'height': 64,
        'truth': [found], 'bp': [{**found, 'score': 0.93}], 'auglocal': [], 'local': [],
    }


def made_evidence() -> dict[str, Any]:
    """Evidence to go with the results."""
    return {
        'curves': {
            'classification': {
                method: _curves('accuracy/top1', best=best, key='loss')
                for method, best in (('bp', 97.2), ('auglocal', 96.4))},
            'detection': {
                method: _curves('coco/bbox_mAP', best=best, key='loss')
                for method, best in (('bp', 0.762), ('auglocal', 0.751), ('local', 0.742))},
        },
        'local_accuracy': {
            'accuracy': {'stem': 81.0, 'layer1.0': 90.2, 'layer1.1': 93.1, 'head': 96.4},
            'samples': 360, 'plan': _plan(),
        },
        'batch_size': 64, 'detection_batch_size': 4,
        'settings': {'classification': '5 epochs, batch 64.', 'detection': '5 epochs, batch 8.'},
        'scenes': {'threshold': 0.5, 'items': [_scene(), _scene()]},
        'commands': ['python tools/train.py configs/demo/a.py'],
    }
