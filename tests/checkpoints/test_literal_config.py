"""Dumped configs are read as mmengine reads them, and nothing else is."""
import pytest
from config_files import CLASSIFIERS, CONFIGS, RULES, parse

from auglocal_mm.checkpoints.literal_config import read_literal_config

WHOLE = [path for path in sorted(CONFIGS.rglob('*.py')) if '_base_' not in path.parts]
#: One of each rule, whose text is formatted as a run dumps it.
FORMATTED = [next(path for path in CLASSIFIERS if path.parent.name == rule) for rule in RULES]


@pytest.mark.parametrize('path', WHOLE, ids=lambda path: path.stem)
def test_every_config_survives_its_dump(path, monkeypatch):
    if path not in FORMATTED:
        # To a parser, it is the same where lines break; formatting takes longer than the rest.
        monkeypatch.setattr('yapf.yapflib.yapf_api.FormatCode', lambda text, **_: (text, True))
    cfg = parse(path)
    assert read_literal_config(cfg.pretty_text) == cfg.to_dict()


@pytest.mark.parametrize('text', [
    'import os', 'a = open("x")', 'a = dict([1])', 'a = dict(**b)', 'a = b', 'a.b = 1',
    'a = [x for x in y]', 'a = f"{b}"', 'a = {**b}', 'a = (', 'del a', 'a = b.c',
    'dict(a=1)', 'a = dict(b=__import__("os"))', 'a = dict({}, {})', 'a = dict({"x": f()})'])
def test_anything_but_values_is_refused(text):
    with pytest.raises(ValueError):
        read_literal_config(text)
