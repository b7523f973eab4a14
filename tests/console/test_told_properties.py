"""Whatever a setting of ours holds: it trains, or one line says which key and why not.

The fast suite tries a few. In about half a minute,
``pytest tests/console/test_told_properties.py -m slow -n 0`` tries 1,000.
"""
import itertools
import logging
import math
import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mmengine.config import Config
from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import DefaultScope
from mmengine.visualization import Visualizer
from odd_values import odd, places
from PIL import Image
from tiny_run import take_out_what_is_slow, tiny_config

from auglocal_mm.console.told import describe
from auglocal_mm.engine import launch

NUMBER = itertools.count()
PLACES = places()


def set_by_key(node, path, value):
    *parents, last = [int(part) if part.isdigit() else part for part in path.split('.')]
    for part in parents:
        node = node[part]
    if isinstance(node, list) and last == len(node):
        node.append(value)
    else:
        node[last] = value


def config(folder, place, value):
    where, changes, key = place
    number = next(NUMBER)
    cfg = tiny_config(folder / f'run-{number}', experiment_name=f'odd-{number}')
    cfg['train_dataloader']['dataset']['indices'] = 6
    cfg['train_cfg']['max_epochs'] = 1
    cfg['custom_hooks'] = cfg['custom_hooks'][:1]
    cfg['default_hooks']['checkpoint'] = None
    cfg['log_level'] = 'ERROR'
    if where != 'model.local':
        cfg['model']['local']['modules'] = 2
    for path, change in changes.items():
        if isinstance(change, dict):
            change = {**change, key: value} if path == where else change
        set_by_key(cfg, path, change)
    return cfg


def attempt(folder, place, value, monkeypatch):
    """Train a step through the tools' door; return the loss, or what would be told."""
    cfg = config(folder, place, value)
    monkeypatch.setattr(Config, 'fromfile', lambda path: Config(cfg))
    runner = None
    try:
        runner = launch.build_runner(launch.load_config(__file__), splits=('train',))
        runner.train()
        return runner.message_hub.get_scalar('train/loss').current(), None
    except Exception as error:
        return None, describe(error)
    finally:
        for logger in MMLogger._instance_dict.values():
            for handler in logger.handlers:
                if isinstance(handler, logging.FileHandler):
                    handler.close()
        for kind in (MMLogger, MessageHub, Visualizer, DefaultScope):
            kind._instance_dict.clear()


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('odd')
    for split, name, number in itertools.product(('train', 'test'), 'ab', range(3)):
        path = folder / 'images' / split / name / f'{number}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((32, 32, 3), 40 * number, np.uint8)).save(path)
    return folder


@pytest.fixture(scope='module')
def door(folder):
    """The folder, with everything slow that no setting of ours decides taken out."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        take_out_what_is_slow(patch)
        yield lambda place, value: attempt(folder, place, value, patch)


def judge(door, place, value):
    where, _, key = place
    loss, fault = door(place, value)
    if fault is None:
        assert math.isfinite(loss), (place, loss)
        return
    assert fault.status == 2, (place, fault)
    assert fault.line and fault.line.isprintable() and len(fault.line) <= 2000, fault
    named = key in fault.line or where.removesuffix('.0') in fault.line
    # A width may be fine and the layer after it too narrow; a path may be fine and lead nowhere.
    elsewhere = re.search('does not fit|data is missing|end its pipeline', fault.line)
    assert named or elsewhere, (place, fault)


COMMON = dict(suppress_health_check=list(HealthCheck), database=None)


@settings(max_examples=40, **COMMON)
@given(place=st.sampled_from(PLACES), value=odd)
def test_an_odd_value_trains_or_is_one_line(door, place, value):
    judge(door, place, value)


@pytest.mark.slow
@settings(max_examples=1000, **COMMON)
@given(place=st.sampled_from(PLACES), value=odd)
def test_a_thousand_odd_values_train_or_are_one_line(door, place, value):
    judge(door, place, value)


@pytest.mark.slow
def test_the_settings_that_are_not_odd_train(door):
    """Without this, a door that refuses everything would pass."""
    tried = set()
    for where, changes, _ in PLACES:
        component = changes[where]
        name = component['type']
        if name in tried or name == 'auglocal_mm.SVHN':
            continue
        tried.add(name)
        loss, fault = door((where, changes, 'type'), name)
        assert fault is None, (name, fault)
        assert math.isfinite(loss)
    assert len(tried) >= 15
