from types import SimpleNamespace

import pytest
import torch
from torch import nn

from auglocal_mm.lab.depth.local_accuracy import local_accuracy


class Model(nn.Module):
    """Answers 0 at its first depth and the right class at its head."""

    def data_preprocessor(self, batch, training):
        assert not training
        return batch

    def local_logits(self, inputs):
        assert not self.training
        assert not torch.is_grad_enabled()
        yield 'stem', torch.tensor([[1.0, 0.0, 0.0]]).expand(len(inputs), -1)
        yield 'head', nn.functional.one_hot(inputs, 3).float()


def batch(*labels):
    samples = [SimpleNamespace(gt_label=torch.tensor([label])) for label in labels]
    return {'inputs': torch.tensor(labels), 'data_samples': samples}


def test_counts_samples_not_batches():
    measured = local_accuracy(Model(), [batch(0, 0, 1), batch(2)])
    assert list(measured.items()) == [('stem', 50.0), ('head', 100.0)]


def test_needs_samples():
    with pytest.raises(ValueError, match='at least 1 sample'):
        local_accuracy(Model(), [])


def test_needs_a_local_model():
    with pytest.raises(TypeError, match='must have local_logits, got Linear'):
        local_accuracy(nn.Linear(1, 1), [])
