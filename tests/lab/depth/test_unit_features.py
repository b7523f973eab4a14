import pytest
import torch
from networks import NETWORKS
from small import auglocal, batch, classifier, network_classifier

from auglocal_mm.lab.depth.similarity import compare
from auglocal_mm.lab.depth.unit_features import (
    centred_gram,
    pooled_features,
    unit_grams,
    unit_names,
)


def spied(model, names, inputs):
    """Outputs of the blocks as hooks on the plain backbone see them."""
    seen, handles = {}, []
    for name in names:
        handles.append(model.backbone.get_submodule(name).register_forward_hook(
            lambda module, args, out, name=name: seen.__setitem__(name, out.detach())))
    with torch.no_grad():
        model.backbone(inputs)
    for handle in handles:
        handle.remove()
    return seen


@pytest.mark.parametrize('local', [None, auglocal(3)])
def test_features_are_what_the_plain_backbone_computes(local):
    model = classifier(local)
    loader = [batch(4, seed=1), batch(3, seed=2)]
    names = unit_names(model)
    assert names[0] == 'stem' and len(names) == 10
    pooled, grams = pooled_features(model, loader), unit_grams(model, loader)
    assert not model.training and list(pooled.values) == list(grams) == list(names)
    inputs = torch.cat([each['inputs'] for each in loader])
    for name, output in spied(model, names[1:], inputs).items():
        torch.testing.assert_close(pooled.values[name], output.mean(dim=(2, 3)))
        torch.testing.assert_close(grams[name], centred_gram([output.flatten(1).double()]),
                                   rtol=1e-4, atol=1e-4)
    assert len(pooled.labels) == 7


@pytest.mark.parametrize('name', ['VisionTransformer', 'ConvNeXt', 'VGG11', 'Sequential'])
def test_every_family_can_be_looked_at(name):
    network = NETWORKS[name]
    model = network_classifier(network, auglocal(2))
    loader = [batch(4, side=network.side)]
    pooled, grams = pooled_features(model, loader), unit_grams(model, loader)
    for layer in model.plan.layers:
        assert pooled.values[layer.name].shape == (4, layer.channels)
    same = compare(grams, grams)
    assert list(same.diagonal.values()) == pytest.approx([1.0] * len(grams), abs=1e-6)


def test_needs_images():
    model = classifier()
    with pytest.raises(ValueError, match='at least 1 sample'):
        pooled_features(model, [])
    with pytest.raises(ValueError, match='at least 1 sample'):
        unit_grams(model, [])
    with pytest.raises(ValueError, match='at least 2 images, got 1'):
        unit_grams(model, [batch(1)])
