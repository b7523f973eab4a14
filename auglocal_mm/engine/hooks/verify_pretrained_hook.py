"""Stops a training that would start from weights left random."""
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from auglocal_mm.checkpoint import verify_pretrained
from auglocal_mm.registry import HOOKS


@HOOKS.register_module()
class VerifyPretrainedHook(Hook):
    """Checks that every ``init_cfg=dict(type='Pretrained', …)`` covers its module.

    For train scripts other than ours, which check by themselves; it serves any
    model, detectors too. Call order: ``before_train``, when the files have been
    read and no step has been taken. A resumed training is checked as well.

    Raises:
        CheckpointError: A file is missing or does not cover its module.
    """

    def before_train(self, runner: Runner) -> None:
        """Check the files."""
        model = runner.model
        verify_pretrained(model.module if is_model_wrapper(model) else model)
