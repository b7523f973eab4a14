"""Families end to end, each in a child process, and what is said of those that fail."""
import json
import subprocess
import sys

import pytest

from auglocal_mm.analysis.families import FAMILIES, Family, choose, survey

#: A detector of ours that fails where it is told to.
FAKE = '''
import os
import time

from mmdet.registry import MODELS
from mmengine.model import BaseModel

from auglocal_mm.operators import MissingOperatorError


@MODELS.register_module(force=True)
class Fake(BaseModel):
    def __init__(self, fails, data_preprocessor=None):
        super().__init__(data_preprocessor)
        if fails == 'build':
            raise ValueError('no such backbone\\nand more of it')
        self.fails = fails

    def forward(self, *args, **kwargs):
        if self.fails == 'crash':
            os.abort()
        if self.fails == 'sleep':
            time.sleep(60)
        raise MissingOperatorError('made_up_forward', 'a test')
'''


def fake(folder, fails):
    """A family whose config defines its own detector."""
    (folder / 'fake_detector.py').write_text(FAKE)
    path = folder / f'{fails}.py'
    path.write_text("custom_imports = dict(imports=['fake_detector'])\n"
                    f"default_scope = 'mmdet'\nmodel = dict(type='Fake', fails={fails!r})\n")
    return Family(fails, str(path))


@pytest.fixture(scope='module')
def found(tmp_path_factory):
    """One survey of two true families and all failing ones."""
    folder = tmp_path_factory.mktemp('families')
    families = [
        *choose(FAMILIES, ['faster r-cnn', 'SSD']),
        *(fake(folder, fails) for fails in ('build', 'train', 'crash')),
        Family('absent', 'no/such/config.py')]
    said = []
    result = survey(families, say=said.append)
    return {'said': said, 'result': result, 'rows': {row['name']: row for row in result['families']}}
