"""Inference views of a local model are the plain classifier; training always sees everything.

The slow test: pytest -n 0 tests/models/test_inference_view.py -m slow
"""
import copy
import itertools
import re
from pathlib import Path

import mmpretrain
import pytest
import torch
from mmengine.analysis import get_model_complexity_info
from mmengine.config import Config
from mmpretrain.models import ImageClassifier
from networks import NETWORKS
from small import auglocal, batch, classifier, network_classifier
from tool_runs import run_forked

from auglocal_mm import AugLocalOptimWrapper

GET_FLOPS = Path(mmpretrain.__file__).parent / '.mim/tools/analysis_tools/get_flops.py'


def names(model):
    return [name for name, _ in model.named_parameters()]


def as_the_hosts_tools_do(model):
    model.eval()
    model.forward = model.extract_feat
    return model


@pytest.mark.parametrize('network', ['CIFAR ResNet-20', 'VisionTransformer', 'Sequential'])
def test_a_view_is_the_plain_classifier_with_the_same_weights(network):
    network = NETWORKS[network]
    model = network_classifier(network, auglocal(3)).train()
    modes = [module.training for module in model.modules()]
    view = model.inference_view()
    assert isinstance(view, ImageClassifier) and not view.training
    assert [module.training for module in model.modules()] == modes
    own = dict(model.named_parameters())
    assert names(view) == [name for name in own if not name.startswith('auxiliary.')]
    assert all(parameter is own[name] for name, parameter in view.named_parameters())
    model.train_step(batch(4, side=network.side),
                     AugLocalOptimWrapper(torch.optim.SGD(model.parameters(), 0.1)))
    images = batch(2, side=network.side)['inputs']
    with torch.no_grad():  # what was trained and counted since is in the view
        assert torch.equal(view(images, mode='tensor'), model.eval()(images, mode='tensor'))


def test_a_trace_of_a_view_holds_no_auxiliary_network():
    view, images = classifier(auglocal(3)).inference_view(), batch(2)['inputs']
    traced = torch.jit.trace(view, images)
    assert traced.state_dict().keys() == classifier().state_dict().keys()
    assert not [name for name, _ in traced.named_modules() if 'auxiliary' in name]
    torch.testing.assert_close(traced(images), view(images))


@pytest.mark.slow
def test_an_export_of_a_view_holds_no_auxiliary_network():
    view, images = classifier(auglocal(3)).inference_view(), batch(2)['inputs']
    exported = torch.export.export(view, (images,))
    for state in (exported.state_dict, exported.module().state_dict()):
        assert state.keys() == classifier().state_dict().keys()
    torch.testing.assert_close(exported.module()(images), view(images))


def test_a_model_set_up_for_the_hosts_tools_counts_and_traces_like_the_plain_one():
    local = as_the_hosts_tools_do(classifier(auglocal(3)))
    plain = as_the_hosts_tools_do(classifier())
    assert names(local) == names(plain)
    assert len(list(local.modules())) == len(list(plain.modules()))
    counts = [get_model_complexity_info(model, (3, 16, 16)) for model in (local, plain)]
    for key in ('flops', 'params', 'activations', 'out_table'):
        assert counts[0][key] == counts[1][key]
    traced = torch.jit.trace(local, batch(2)['inputs'])
    assert not [name for name in traced.state_dict() if 'auxiliary' in name]


def test_the_hosts_get_flops_prints_the_plain_classifiers_counts(root, tmp_path):
    if not GET_FLOPS.exists():
        pytest.skip('mmpretrain was installed without its tools')
    cfg = Config.fromfile(root / 'configs/demo/resnet34-slim_digits_auglocal.py')
    said = []
    for kind in ('local', 'plain'):
        if kind == 'plain':
            cfg.model.type = 'ImageClassifier'
            cfg.model.pop('local')
        cfg.dump(tmp_path / f'{kind}.py')
        text = run_forked(GET_FLOPS, tmp_path / f'{kind}.py', '--shape', '16', folder=tmp_path)
        said.append(re.findall(r'(?:Flops|Params|Activation): .*', text))
    assert len(said[0]) == 3 and said[0] == said[1]


def both_ways(model):
    """Show or hide by each order of the two steps."""
    model.forward = model.extract_feat
    return model.eval()


@pytest.mark.parametrize('hide', [as_the_hosts_tools_do, both_ways])
def test_what_is_hidden_is_saved_loaded_moved_copied_and_comes_back(hide):
    model = classifier(auglocal(3))
    state, order = copy.deepcopy(model.state_dict()), names(model)
    assert hide(model) is model and names(model) != order
    assert model.auxiliary_of(0) is model.auxiliary['stem']
    assert list(model.state_dict()) == list(state)
    model.double()
    assert all(value.dtype is not torch.float32 for value in model.state_dict().values())
    twin = copy.deepcopy(model)
    assert list(twin.state_dict()) == list(state) and names(twin) == names(model)
    assert names(twin.train()) == order and names(model) != order
    changed = {key: torch.full_like(value, 3) for key, value in state.items()}
    assert not model.load_state_dict(changed, strict=True).missing_keys
    assert all((value == 3).all() for value in model.state_dict().values())
    assert names(model.train()) == order


def test_a_model_in_use_shows_everything_in_every_mode():
    """Evaluation alone hides nothing, and after a step nothing ever does."""
    model = classifier(auglocal(3))
    order = names(model)
    assert names(model.eval()) == order == names(model.train())
    model.train_step(batch(), AugLocalOptimWrapper(torch.optim.SGD(model.parameters(), 0.1)))
    assert names(as_the_hosts_tools_do(model)) == order


def test_a_swap_of_averaged_weights_around_evaluation_gives_everything_back():
    """As EMAHook does: parameters are paired by their order before and after `eval`."""
    for trained in (False, True):
        model = classifier(auglocal(3)).train()
        averaged = copy.deepcopy(model)
        with torch.no_grad():
            for parameter in averaged.parameters():
                parameter.add_(1)
        if trained:
            model.train_step(batch(), AugLocalOptimWrapper(
                torch.optim.SGD(model.parameters(), 0.1)))
        before = copy.deepcopy(model.state_dict())
        for mode in (False, True):
            model.train(mode)
            pairs = list(itertools.zip_longest(model.parameters(), averaged.parameters()))
            for own, mean in pairs:
                own.data, mean.data = mean.data.clone(), own.data.clone()
            assert len(pairs) == len(list(model.parameters()))
        assert all(torch.equal(value, before[key]) for key, value in model.named_parameters())
