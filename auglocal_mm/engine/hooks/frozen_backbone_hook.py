"""Trains a model on a backbone that stays as it is."""
from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn

from auglocal_mm.models import LocalTraining
from auglocal_mm.registry import HOOKS


@HOOKS.register_module()
class FrozenBackboneHook(Hook):
    """Freezes the whole backbone: neither its weights nor its norms' statistics change.

    It works for a backbone of any family, whatever settings for freezing that has. Any
    config, or ``--cfg-options``, can ask for it::

        default_hooks = dict(frozen_backbone=dict(type='auglocal_mm.FrozenBackboneHook'))

    Under torch's data parallel, also set ``find_unused_parameters=True``: parameters are
    wrapped before a hook can freeze them.

    Call order: ``before_train`` stops the gradients, after the weights were initialised and a
    checkpoint was loaded; ``before_train_iter`` puts the backbone into evaluation mode, which
    the training loop leaves at each epoch.

    Raises:
        TypeError: The model has no backbone, or trains it locally.
    """

    def before_train(self, runner: Runner) -> None:
        """Stop the gradients."""
        bare = runner.model.module if is_model_wrapper(runner.model) else runner.model
        if not isinstance(getattr(bare, 'backbone', None), nn.Module):
            raise TypeError(f'FrozenBackboneHook needs a model with a backbone, got a '
                            f'{type(bare).__name__}; leave the hook out')
        if isinstance(bare, LocalTraining):
            raise TypeError(f'a frozen backbone has nothing to learn, but {type(bare).__name__} '
                            'trains it locally; give the plain model, or leave '
                            'FrozenBackboneHook out')
        bare.backbone.requires_grad_(False)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: object = None) -> None:
        """Keep the norms' statistics, and drop nothing at random."""
        bare = runner.model.module if is_model_wrapper(runner.model) else runner.model
        if bare.backbone.training:
            bare.backbone.eval()
