"""Training module by module, for any mmengine model with a backbone."""
from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from mmengine.logging import print_log
from mmengine.model import ModuleDict
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from auglocal_mm.auxiliary import AuxiliaryNetwork, BuildContext, build_auxiliary
from auglocal_mm.execution import (
    Carry,
    Chain,
    Listeners,
    LocalMetrics,
    LocalOptimizer,
    LocalStep,
    ParameterOwners,
    Task,
    Trainability,
    immediate_step,
    joint_losses,
    local_steps,
)
from auglocal_mm.execution.trainable import follow_data_parallel, follow_optimizer
from auglocal_mm.partition import Unit, partition
from auglocal_mm.plan import LocalPlan, UnitSpec
from auglocal_mm.rules import LocalRule
from auglocal_mm.validation import Faults, check_choice, shown
from auglocal_mm.validation.weight_limit import MAX_VALUES, WeightLimit

from .counted_costs import Candidates, count_costs
from .hidden_auxiliary import HiddenAuxiliary
from .image_statistics import image_statistics

#: What can be computed a second time: the units of all modules; those of the last module, with
#: what a model adds after them; blocks of auxiliary networks.
RECOMPUTABLE = ('modules', 'last', 'auxiliary')


class LocalTraining(HiddenAuxiliary):
    """A mixin that comes before a model's own class and trains its backbone by local losses.

    ``class LocalX(LocalTraining, X)`` calls ``super().__init__`` as ``X`` needs it, and then
    :meth:`learn_locally`. ``X`` is a model of mmengine with a ``backbone``. Its modules and
    state-dict keys stay those of ``X``; auxiliary networks are under ``auxiliary.*``.
    Inference is that of ``X``.

    Attributes:
        chain: The backbone's units, cut into modules.
        task: What it is trained for.
        auxiliary: Auxiliary networks by key: the unit's name, dots replaced by ``_``.
        local_metrics: Losses and scores of the latest training step.
        listeners: What acts in each training step, such as averaging over ranks.
        trainability: Follows what is frozen and unfrozen.
        recompute: What is computed a second time, of :data:`RECOMPUTABLE`.
    """

    backbone: nn.Module
    chain: Chain
    task: Task

    def learn_locally(self, rule: LocalRule, task: Callable[[LocalPlan], Task], *,
                      networks: Callable[[LocalPlan, Sequence[UnitSpec]], LocalPlan] | None = None,
                      recompute: Any = (), auxiliary_norm: str = 'backbone') -> None:
        """Plan, and build what the plan names; the last line of a constructor.

        Args:
            rule: The learning rule. It plans networks that classify images.
            task: Returns the task for a plan, after checking that this model fits it.
            networks: Turns the rule's networks into those that the task needs; ``None`` if
                these are the same.
            recompute: What is computed a second time in backward passes instead of being kept:
                ``True`` for everything, or a sequence of :data:`RECOMPUTABLE`.
            auxiliary_norm: Norms in auxiliary networks: ``'backbone'``, like the backbone's,
                or ``'group'``.

        Raises:
            TypeError: The backbone cannot be partitioned, or the task refuses the model.
            ValueError: The rule's settings are impossible for this backbone.
        """
        faults = Faults('model')
        check_choice(faults, 'auxiliary_norm', auxiliary_norm, ('backbone', 'group'))
        self.recompute = _recomputable(faults, recompute)
        faults.raise_if_any()
        # Most backbones freeze their stages only when train() is called.
        self.backbone.train(self.backbone.training)
        units = partition(self.backbone)
        if not units[-1].outputs:
            raise ValueError(
                f'the last unit, {units[-1].name}, is not among the outputs of '
                f'{type(self.backbone).__name__}; add its stage to backbone.out_indices')
        self._group_norms = auxiliary_norm == 'group'
        plan = self._planned(rule, task, units=units, networks=networks)
        self.task = task(plan)
        self.chain = Chain(units=units, plan=plan,
                           recomputed=_recomputed_modules(self.recompute, plan))
        self.auxiliary = self._build_auxiliaries()
        self.local_metrics = LocalMetrics(plan.module_names)
        self.listeners = Listeners()
        # After the auxiliary networks, whose parameters count as well.
        self.trainability = Trainability(
            name for name, parameter in self.named_parameters() if not parameter.requires_grad)
        self._owners = ParameterOwners()
        self._warned_joint = False
        self._require_all_parameters_owned()
        if plan.modules > 1 and not plan.losses:
            print_log('Everything before the last module is frozen, so nothing is trained by local '
                      'losses.', logger='current', level=logging.WARNING)
        if plan.modules > 1 and getattr(self.backbone, 'with_cp', False):
            print_log('with_cp=True has no effect on the first unit after a boundary, because its '
                      "input needs no gradient; model.recompute=['modules'] has no such gap.",
                      logger='current', level=logging.WARNING)

    def _planned(self, rule: LocalRule, task: Callable[[LocalPlan], Task], *,
                 units: Sequence[Unit],
                 networks: Callable[[LocalPlan, Sequence[UnitSpec]], LocalPlan] | None,
                 ) -> LocalPlan:
        specs = [unit.spec(self.backbone) for unit in units]

        def localise(plan: LocalPlan) -> LocalPlan:
            return plan if networks is None else networks(plan, specs)

        if rule.balance == 'units':
            return localise(rule.plan(specs))
        candidates = Candidates(
            networks=[(unit, network) for (_, unit), network in rule.candidates(specs).items()],
            specs=specs, localise=localise,
            context=lambda backbone, plan: self._context(backbone, units, task(plan)))
        return localise(rule.plan(specs, count_costs(self, units, candidates)))

    def build_context(self, backbone: nn.Module) -> BuildContext:
        """Return what building auxiliary networks requires, for a backbone like this model's."""
        return self._context(backbone, self.chain.units, self.task)

    def _context(self, backbone: nn.Module, units: Sequence[Unit], task: Task) -> BuildContext:
        mean, std = image_statistics(self.data_preprocessor, backbone)
        return BuildContext(backbone, {unit.name: unit for unit in units},
                            getattr(task, 'num_classes', 0), mean, std,
                            heads=getattr(task, 'heads', {}), group_norms=self._group_norms)

    def _build_auxiliaries(self) -> ModuleDict:
        context = self.build_context(self.backbone)
        # Rules bound each setting; together they can still ask for more than any machine has.
        own = sum(parameter.numel() for parameter in self.backbone.parameters())
        with WeightLimit('the auxiliary networks', values=max(MAX_VALUES, 20 * own),
                         remedy='depth, width or kernel_size in model.local'):
            networks = {loss.key: build_auxiliary(loss, context) for loss in self.plan.losses}
        for network in networks.values():
            network.recompute = 'auxiliary' in self.recompute
        return ModuleDict(networks)

    def _require_all_parameters_owned(self) -> None:
        owned = {id(parameter) for module in range(self.plan.modules)
                 for parameter in self.module_parameters(module)}
        orphans = [name for name, parameter in self.named_parameters()
                   if parameter.requires_grad and id(parameter) not in owned]
        if orphans:
            raise TypeError(f'no local module would train {", ".join(orphans)}; the partition of '
                            f'{type(self.backbone).__name__} leaves them out')

    def end_parts(self, outputs: tuple[Any, ...]) -> Iterable[Callable[[], Any]]:
        """Return what follows the backbone, part by part, to count what it costs.

        Args:
            outputs: What the backbone returns for two images.
        """
        return ()

    @property
    def plan(self) -> LocalPlan:
        """The plan that was built."""
        return self.chain.plan

    def module_parameters(self, module: int) -> list[nn.Parameter]:
        """Return the trainable parameters whose gradients are final after a module's backward pass.

        These are its units', its auxiliary networks', and in the last module the heads'.
        """
        return [parameter for parameter in self._owners.parameters(self, module)
                if parameter.requires_grad]

    def module_buffers(self, module: int) -> list[Tensor]:
        """Return the buffers of the same parts as :meth:`module_parameters`."""
        return self._owners.buffers(self, module)

    def auxiliary_of(self, module: int) -> AuxiliaryNetwork | None:
        """Return the (last) auxiliary network of a module, if it has one."""
        losses = self.plan.spans[module].losses
        return self.auxiliary[losses[-1].key] if losses else None

    def train(self, mode: bool = True) -> Any:
        """Set the mode, as in torch."""
        # Before this call, a host may have replaced modules (SyncBN).
        self._forget_parameters()
        return super().train(mode)

    def _apply(self, *args: Any, **kwargs: Any) -> Any:
        self._forget_parameters()  # to() may replace them
        return super()._apply(*args, **kwargs)

    def _load_from_state_dict(self, *args: Any) -> None:
        self._forget_parameters()  # load_state_dict(assign=True) replaces them
        super()._load_from_state_dict(*args)

    def _forget_parameters(self) -> None:
        if '_owners' in self.__dict__:  # not before learn_locally
            self.trainability.forget()
            self._owners.forget()

    def check_batch_size(self, size: int | None, *, images: int | None = None) -> None:
        """Check that no training batch will hold a single image if BatchNorm1d forbids it.

        Args:
            size: Images per batch and rank, ``None`` if unknown.
            images: Images per epoch and rank, if the last batch may be smaller.

        Raises:
            ValueError: A BatchNorm1d of an auxiliary network would see one image.
        """
        normed = [self.plan.shapes[loss.unit].name for loss in self.plan.losses
                  if loss.auxiliary.norms_vectors]
        last = images % size if images and size else 0
        if normed and 1 in (size, last):
            which = 'batches' if size == 1 else f'the last batch of {images} images'
            raise ValueError(
                f'{which} would hold 1 image (batch_size={size} per rank), but {len(normed)} '
                f'auxiliary networks (first: {normed[0]}) have a BatchNorm1d, which needs at least '
                '2; raise batch_size, set drop_last=True in train_dataloader, or set '
                'batch_norm_before_fc=False in model.local (AugLocal)')

    def local_steps(self, inputs: Any, data_samples: Sequence[Any],
                    precision: Callable[[], AbstractContextManager] = nullcontext,
                    ) -> Iterator[LocalStep]:
        """Run all modules of a batch, one by one; see :func:`execution.local_steps`.

        Args:
            inputs: Preprocessed images [B, C, H, W].
            data_samples: B data samples with their ground truth.
            precision: Returns the context of every forward computation, such as autocast.
        """
        batch = self.task.batch(self, inputs, data_samples)
        return local_steps(self, Carry(features=inputs), batch, precision=precision)

    def loss(self, inputs: Any, data_samples: Sequence[Any]) -> dict[str, Tensor]:
        """Return all losses with their graphs, for callers that run one backward pass."""
        self._trained = self._trained or torch.is_grad_enabled()
        follow_data_parallel(self)
        return joint_losses(self, inputs, data_samples)

    def train_step(self, data: Any, optim_wrapper: OptimWrapper) -> dict[str, Tensor]:
        """Run one training step, immediate if the optimizer wrapper allows it.

        Args:
            data: A batch as the dataloader yields it.
            optim_wrapper: An ``AugLocalOptimWrapper``. With any other wrapper, the
                step is joint: the same gradients, but no memory saved.

        Returns:
            Values for the log.

        Raises:
            TrainabilityError: Nothing is trained, or the optimizer does not hold a
                parameter that was unfrozen.
            NonFiniteError: A loss or gradient is not finite; no weight was changed.
        """
        self.prepare_step(optim_wrapper)
        if not isinstance(optim_wrapper, LocalOptimizer):
            self._warn_joint(optim_wrapper)
            return super().train_step(data, optim_wrapper)  # type: ignore[misc]  # the host's
        data = self.data_preprocessor(data, True)
        batch = self.task.batch(self, data['inputs'], data['data_samples'])
        log_vars, _ = immediate_step(self, Carry(features=data['inputs']), batch, optim_wrapper)
        return log_vars

    def prepare_step(self, optim_wrapper: OptimWrapper) -> None:
        """Look at what is trained now; the first line of every training step.

        Raises:
            TrainabilityError: As from :meth:`train_step`.
        """
        self._trained = True  # from here on, no tool may hide the auxiliary networks
        if follow_optimizer(self, optim_wrapper.optimizer):
            self._require_all_parameters_owned()

    def _warn_joint(self, optim_wrapper: OptimWrapper) -> None:
        if not self._warned_joint:
            self._warned_joint = True
            print_log(
                f'{type(optim_wrapper).__name__} runs one backward pass for all local modules: '
                'gradients are correct, but memory is not saved. Set optim_wrapper.type='
                "'auglocal_mm.AugLocalOptimWrapper' to free each module's graph at once.",
                logger='current', level=logging.WARNING)


def _recomputable(faults: Faults, value: Any) -> frozenset[str]:
    """Return which parts are to be computed a second time."""
    if isinstance(value, bool):
        return frozenset(RECOMPUTABLE if value else ())
    names = value if isinstance(value, (list, tuple)) else [value]
    wrong = [name for name in names if name not in RECOMPUTABLE]
    faults.add_unless(not wrong, 'recompute must be True, False or a list of '
                                 f'{", ".join(map(repr, RECOMPUTABLE))}, got {shown(value)}')
    return frozenset(names) if not wrong else frozenset()


def _recomputed_modules(recompute: frozenset[str], plan: LocalPlan) -> frozenset[int]:
    modules = range(plan.modules) if 'modules' in recompute else ()
    return frozenset([*modules, *([plan.modules - 1] if 'last' in recompute else [])])
