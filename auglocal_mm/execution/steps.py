"""The modules' forward passes, one by one: the one generator that every way of training drives."""
from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from .carry import Carry
from .chain import Passage
from .local_model import LocalModel
from .local_step import LocalStep, Outcome


def local_steps(model: LocalModel, carry: Carry, batch: Any, *, modules: range | None = None,
                precision: Callable[[], AbstractContextManager] = nullcontext,
                before: Callable[[int], None] = lambda module: None,
                ) -> Generator[LocalStep, None, Carry]:
    """Run modules in depth order, with a boundary after each that has a loss.

    What is trained follows ``requires_grad`` at each call. A module whose parameters
    were all frozen when the model was built has no auxiliary network and so no loss.
    If it is unfrozen later, the next module that has a loss trains it.

    The caller may run a module's backward pass before it asks for the next
    module: no graph is held here across a boundary.

    Args:
        model: The model.
        carry: Where the run starts: images, or what a run of the modules before it returned.
        batch: The task's batch.
        modules: The modules to run, all by default. A run may start and end at any boundary,
            that is, after any module that has a loss. After another one, the returned carry
            has a history, which does not travel: :meth:`Carry.pack` refuses it.
        precision: Returns the context of every forward computation, such as
            autocast. It is never active while the caller has control.
        before: Is called with each module right before it runs.

    Returns:
        The carry after the last of the modules.
    """
    plan = model.chain.plan
    first = None
    for module in range(plan.modules) if modules is None else modules:
        before(module)
        with precision():
            passage = model.chain.run(model.backbone, module, carry)
            outcome = _outcome(model, module, passage, batch)
        if first is None and passage.trains:
            first = module
        # Nothing but the yielded step and the carry may hold the graph: the caller frees it.
        carry = passage.carry
        del passage
        yield LocalStep(module=module, losses=outcome.losses, scores=outcome.scores,
                        output=outcome.output, first=first)
        del outcome
        if plan.has_loss(module):
            carry, first = carry.detach(), None
    return carry


def drive(steps: Generator[LocalStep, None, Carry], act: Callable[[LocalStep], Any]) -> Carry:
    """Run modules to the last one.

    Args:
        steps: What :func:`local_steps` returned.
        act: Called with each module's step; runs its backward pass.

    Returns:
        The carry after the last module.
    """
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            return end.value
        act(step)
        # Some operators keep tensors in their graph where torch's backward pass does not free
        # them. The next module must not find them alive.
        del step


def _outcome(model: LocalModel, module: int, passage: Passage, batch: Any) -> Outcome:
    """Compute all losses of a module."""
    plan = model.chain.plan
    outcomes: dict[str, Outcome] = {}
    for loss in plan.spans[module].losses:
        auxiliary, features = model.auxiliary[loss.key], passage.read[loss.unit]
        # Whoever froze a module, and its auxiliary network, asks for no loss.
        if passage.trains or any(p.requires_grad for p in auxiliary.parameters()):
            outcomes[loss.key] = model.task.auxiliary_outcome(model, auxiliary, features, batch)
    if module == plan.modules - 1:
        # First, so that its losses keep the names that they have in plain training.
        outcomes = {'': model.task.final_outcome(model, passage.carry.outputs, batch), **outcomes}
    return _merged(outcomes)


def _merged(outcomes: Mapping[str, Outcome]) -> Outcome:
    """Merge the outcomes of one module; the first keeps its names, the others add their key.

    Scores add it only where two have the same name.

    What can be read from the output is the first one's.
    """
    if len(outcomes) < 2:
        return next(iter(outcomes.values()), Outcome())
    (_, first), *others = outcomes.items()
    losses, scores = dict(first.losses), dict(first.scores)
    for key, outcome in others:
        losses |= {f'{key}_{name}': value for name, value in outcome.losses.items()}
        scores |= {name if name not in scores else f'{key}_{name}': value
                   for name, value in outcome.scores.items()}
    return Outcome(losses=losses, scores=scores, output=first.output)
