"""Stops a run that would start from random weights by mistake."""
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from auglocal_mm.checkpoints import verify_pretrained
from auglocal_mm.registry import HOOKS


@HOOKS.register_module()
class VerifyPretrainedHook(Hook):
    """Checks that every ``init_cfg=dict(type='Pretrained', …)`` covers its module.

    It is for train scripts other than ours, which make the same check themselves, and
    works for any model, including detectors. Call order: ``before_train``, after the
    files were read and before the first step. A resumed run is checked as well.

    Raises:
        CheckpointError: A file is missing or does not cover its module.
    """

    def before_train(self, runner: Runner) -> None:
        """Check the files."""
        model = runner.model
        verify_pretrained(model.module if is_model_wrapper(model) else model)
