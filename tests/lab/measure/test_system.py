import json
import platform
from importlib.metadata import version

import auglocal_mm
from auglocal_mm.lab.measure.system import hardware, usable_cores, versions


def test_versions_are_those_of_the_distributions():
    found = versions()
    assert found['auglocal_mm'] == auglocal_mm.__version__
    assert found['torch'] == version('torch')
    assert 'mmengine' in found


def test_hardware_names_neither_the_host_nor_a_path():
    facts = hardware()
    assert facts['cores'] == usable_cores() >= 1
    text = json.dumps(facts)
    assert platform.node() not in text.split('"')
    assert '/home' not in text
