"""Counting calls: every call, those of operators made on demand too, and then nothing."""
from types import ModuleType

import pytest

from auglocal_mm.lab.measure.families.calls import counted_calls


@pytest.fixture
def module():
    module = ModuleType('_ext')
    module.nms = lambda boxes, *, threshold: (boxes, threshold)
    module._private = lambda: None

    def make(name):
        if name.startswith('_'):
            raise AttributeError(name)

        def operator():
            raise NotImplementedError(name)
        return operator
    module.__getattr__ = make
    return module


def test_calls_are_counted_by_name_and_hand_on_all(module):
    with counted_calls(module) as calls:
        assert module.nms(3, threshold=0.5) == (3, 0.5)
        module.nms(1, threshold=0)
        module._private()
        with pytest.raises(NotImplementedError, match='made_up'):
            module.made_up()
        assert callable(module.only_looked_at)
    assert dict(calls) == {'nms': 2, 'made_up': 1}


def test_what_is_no_operator_stays_absent(module):
    with counted_calls(module), pytest.raises(AttributeError):
        module.__path__  # noqa: B018


def test_the_module_is_as_it_was_afterwards(module):
    before = dict(vars(module))
    with pytest.raises(KeyError), counted_calls(module) as calls:
        raise KeyError
    assert dict(vars(module)) == before
    module.nms(0, threshold=0)
    assert not calls


def test_a_compiled_operator_is_counted(module):
    module.nms = max  # a builtin, as compiled operators are
    with counted_calls(module) as calls:
        assert module.nms(1, 2) == 2
    assert calls == {'nms': 1}
