"""One family in this process: build its detector, train two steps, predict."""
from __future__ import annotations

import math
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mmcv.ops  # noqa: F401 - imports mmcv._ext, compiled or standing in
import torch
from mmengine.logging import MessageHub
from torch import nn

from .batch import made_batch
from .calls import counted_calls
from .family import Family
from .model import built, read_subject
from .training import TRAININGS

#: The second step's losses depend on the first step's gradients.
STEPS = 2
SEED = 0
STAGES = ('build', 'train', 'predict')


@dataclass
class Facts:
    """What a trial found, so far.

    Attributes:
        causes: Stage -> why it failed, in one line; empty where it passed.
        operators: Calls of each of mmcv's operators.
        losses: Value by name, for each step.
        gradients: Norm of each part of the model, in the first step.
        predictions: Instances predicted in both images.
        parameters: Number of weights.
        backbone: Its type.
        modules: Local modules; 0 where the detector is trained whole.
        seconds: Processor time of all stages.
    """

    causes: dict[str, str] = field(default_factory=dict)
    operators: dict[str, int] = field(default_factory=dict)
    losses: list[dict[str, float]] = field(default_factory=list)
    gradients: dict[str, float] = field(default_factory=dict)
    predictions: int = 0
    parameters: int = 0
    backbone: str = ''
    modules: int = 0
    seconds: float = 0.0


def run_trial(family: Family, note: Callable[[Facts], None], *, training: str = 'plain') -> Facts:
    """Build a family's detector, train it for :data:`STEPS` steps, and predict.

    Prediction is tried even where training fails.

    Args:
        family: What to try.
        note: Called with the facts before and after each stage, so that a crash of the
            process leaves the facts before it.
        training: Key of :data:`~.training.TRAININGS`.
    """
    facts, trial = Facts(), _Trial(family, training)
    start = time.process_time()
    with counted_calls(sys.modules['mmcv._ext']) as calls:
        for stage in STAGES:
            facts.causes[stage] = 'the process ended'
            note(facts)
            facts.causes[stage] = _cause(lambda: getattr(trial, stage)(facts))  # noqa: B023
            facts.operators = dict(sorted(calls.items()))
            facts.seconds = round(time.process_time() - start, 1)
            note(facts)
            if trial.model is None:
                break
    return facts


def _cause(stage: Callable[[], None]) -> str:
    try:
        stage()
    except Exception as error:  # whatever a detector raises is a result
        return error_line(error)
    return ''


def error_line(error: BaseException) -> str:
    """Return type and first line of an error, of its cause where a registry raised it again.

    An error without a message tells its place.
    """
    while error.__cause__ is not None:
        error = error.__cause__
    text = str(error).strip().partition('\n')[0]
    if not text:
        place = traceback.extract_tb(error.__traceback__)[-1]
        text = f'{place.line} ({Path(place.filename).name}, line {place.lineno})'
    return f'{type(error).__name__}: {text}'


class _Trial:
    """The stages of a trial; each writes what it finds into the facts."""

    def __init__(self, family: Family, training: str) -> None:
        self.family = family
        self.training = TRAININGS[training]
        self.model: Any = None

    def build(self, facts: Facts) -> None:
        subject = read_subject(self.family)
        self.batch = made_batch(subject.contents, seed=SEED)
        # First, because a refusal should name it as well.
        facts.backbone = subject.model.get('backbone', {}).get('type', '')
        self.model = built(self.training.model(subject.model), seed=SEED)
        facts.parameters = sum(each.numel() for each in self.model.parameters())
        facts.modules = self.model.plan.modules if hasattr(self.model, 'plan') else 0

    def train(self, facts: Facts) -> None:
        model = self.model
        model.train()  # some detectors' own train() returns nothing
        weights = [each for each in model.parameters() if each.requires_grad]
        before = [each.detach().clone() for each in weights]
        optimizer = torch.optim.SGD(weights, lr=0.1)
        # Clipped, as some heads with fresh weights have gradients in the thousands.
        wrapper = self.training.wrapper(optimizer, clip_grad={'max_norm': 1.0})
        norms: list[dict[str, float]] = []
        optimizer.register_step_pre_hook(lambda *_: norms.append(_gradient_norms(model)))
        for step in range(STEPS):
            torch.manual_seed(SEED + step)
            _tell_step(step)
            logged = model.train_step(self.batch, wrapper)
            losses = {name: _number(value) for name, value in logged.items()}
            _require_finite(losses, f'loss of step {step + 1}')
            facts.losses.append(losses)
        _require_finite(norms[0], 'gradient')
        facts.gradients = norms[0]
        if all(torch.equal(old, new) for old, new in zip(before, weights, strict=True)):
            raise ValueError('no weight changed')

    def predict(self, facts: Facts) -> None:
        torch.manual_seed(SEED)
        model = self.model
        model.eval()
        # One image at a time, as mmdet's configs test: guided anchoring takes no more.
        images = [{key: [each] for key, each in zip(self.batch, image, strict=True)}
                  for image in zip(*self.batch.values(), strict=True)]
        with torch.no_grad():
            samples = [sample for image in images for sample in model.test_step(image)]
        for sample in samples:
            if 'pred_instances' in sample:
                if not torch.isfinite(sample.pred_instances.scores).all():
                    raise ValueError('a score is not finite')
                facts.predictions += len(sample.pred_instances)
            elif 'pred_panoptic_seg' not in sample:
                raise ValueError('nothing was predicted')


def _tell_step(step: int) -> None:
    """Say what mmengine's runner says in each step; TOOD and BoxInst ask for it."""
    hub = MessageHub.get_current_instance()
    hub.update_info('epoch', 0)
    hub.update_info('iter', step)


def _number(value: Any) -> float:
    return float(value.detach()) if isinstance(value, torch.Tensor) else float(value)


def _gradient_norms(model: nn.Module) -> dict[str, float]:
    """Return the norm of the gradient of each direct part of a model that has one."""
    norms = {}
    for name, part in model.named_children():
        gradients = [each.grad.norm() for each in part.parameters() if each.grad is not None]
        if gradients:
            norms[name] = float(torch.stack(gradients).norm())
    return norms


def _require_finite(values: Mapping[str, float], what: str) -> None:
    for name, value in values.items():
        if not math.isfinite(value):
            raise ValueError(f'{what}: {name} is {value}')
