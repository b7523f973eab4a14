"""A classifier whose backbone is trained module by module."""
from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from mmengine.logging import print_log
from mmengine.model import ModuleDict
from mmengine.optim import OptimWrapper
from mmpretrain.models.heads import ClsHead
from torch import Tensor, nn

from auglocal_mm import execution
from auglocal_mm.auxiliary import AuxiliaryNetwork, BuildContext, LocalBatch, build_auxiliary
from auglocal_mm.execution import GradientSync, LocalOptimizer, LocalStep, Trainability, boundary
from auglocal_mm.execution.trainable import follow_data_parallel, follow_optimizer
from auglocal_mm.partition import (
    Features,
    LocalLayer,
    forward_layers,
    partition,
    requires_grad,
)
from auglocal_mm.registry import MODELS
from auglocal_mm.rules import build_rule
from auglocal_mm.validation.weight_limit import MAX_VALUES, WeightLimit

from .hidden_auxiliary import HiddenAuxiliary
from .host_features import (
    classes_of,
    fits,
    image_statistics,
    require_fitting_head,
    require_hard_labels,
)
from .inference_view import InferenceClassifier, inference_view
from .local_metrics import LocalMetrics


@MODELS.register_module()
class LocalImageClassifier(HiddenAuxiliary, InferenceClassifier):
    """mmpretrain's classifier, trained by local losses.

    ``backbone.*``, ``neck.*`` and ``head.*`` are the plain classifier's own modules
    and state-dict keys; auxiliary networks are under ``auxiliary.*``. Inference is
    that of the plain classifier.

    Args:
        backbone: Config or module, as for ``ImageClassifier``.
        local: The learning rule, e.g.
            ``dict(type='auglocal_mm.AugLocal', depth=2, tau=0.5)``.
        neck, head, **kwargs: As for ``ImageClassifier``. The head computes its loss
            from logits alone, as ``ClsHead`` and ``MultiLabelClsHead`` do; every
            auxiliary network uses the same loss.

    Attributes:
        plan: The :class:`~auglocal_mm.plan.LocalPlan` that was built.
        auxiliary: Auxiliary networks by layer name, dots replaced by ``_``.
        local_metrics: Losses and accuracies of the latest training step.

    Raises:
        TypeError: The backbone cannot be partitioned, or auxiliary networks cannot
            use the head's loss.
        ValueError: The rule's settings are impossible for this backbone.
    """

    def __init__(self, backbone: dict | nn.Module, local: Any, neck: dict | None = None,
                 head: dict | None = None, **kwargs: Any) -> None:
        rule = build_rule(local)
        super().__init__(backbone=backbone, neck=neck, head=head, **kwargs)
        # Most backbones freeze their stages only when train() is called.
        self.backbone.train(self.backbone.training)
        layers = partition(self.backbone)
        if not layers[-1].outputs:
            raise ValueError(
                f'the last local layer, {layers[-1].name}, is not among the outputs of '
                f'{type(self.backbone).__name__}; add its stage to backbone.out_indices')
        self.plan = rule.plan([layer.spec(self.backbone) for layer in layers])
        self.num_classes = 0
        if any(layer.auxiliary for layer in self.plan.layers):
            require_fitting_head(self.head)
            self.num_classes = classes_of(self.head, self.backbone, self.data_preprocessor)
        require_hard_labels(self.plan, self.head, self.data_preprocessor)
        self._local_modules = self._group(layers)
        self.auxiliary = self._build_auxiliaries(layers)
        self.local_metrics = LocalMetrics([module[-1].name for module in self._local_modules])
        self._warned_joint = False
        self.trainability = Trainability(
            name for name, parameter in self.named_parameters() if not parameter.requires_grad)
        self._require_all_parameters_owned()
        if self.plan.modules > 1 and getattr(self.backbone, 'with_cp', False):
            print_log('with_cp=True has no effect on the first layer after a boundary, because its '
                      'input needs no gradient; local learning saves that memory by itself, so '
                      'leave it out.', logger='current', level=logging.WARNING)

    def _build_auxiliaries(self, layers: Sequence[LocalLayer]) -> ModuleDict:
        mean, std = image_statistics(self.data_preprocessor, self.backbone)
        context = BuildContext(self.backbone, {layer.name: layer for layer in layers},
                               self.num_classes, mean, std)
        own = sum(parameter.numel() for parameter in self.backbone.parameters())
        with WeightLimit('the auxiliary networks', values=max(MAX_VALUES, 20 * own),
                         remedy='depth, width or kernel_size in model.local'):
            return ModuleDict({auxiliary_key(entry.name): build_auxiliary(entry, context)
                               for entry in self.plan.layers if entry.auxiliary is not None})

    def _group(self, layers: Sequence[LocalLayer]) -> tuple[tuple[LocalLayer, ...], ...]:
        return tuple(
            tuple(layer for layer, entry in zip(layers, self.plan.layers, strict=True)
                  if entry.module == module) for module in range(self.plan.modules))

    def _require_all_parameters_owned(self) -> None:
        owned = {id(parameter) for module in range(self.plan.modules)
                 for parameter in self.module_parameters(module)}
        orphans = [name for name, parameter in self.named_parameters()
                   if parameter.requires_grad and id(parameter) not in owned]
        if orphans:
            raise TypeError(f'no local module would train {", ".join(orphans)}; the partition of '
                            f'{type(self.backbone).__name__} leaves them out')

    def module_parameters(self, module: int) -> list[nn.Parameter]:
        """Return the trainable parameters of local module `module`: layers, auxiliary, head."""
        layers = self._local_modules[module]
        parameters = [p for layer in layers for p in layer.parameters(self.backbone)]
        owners = [self.auxiliary_of(module)]
        if module == self.plan.modules - 1:
            owners += [self.neck, self.head]
        for owner in owners:
            if owner is not None:
                parameters += owner.parameters()
        return [parameter for parameter in parameters if parameter.requires_grad]

    def auxiliary_of(self, module: int) -> AuxiliaryNetwork | None:
        """Return the auxiliary network at the end of local module `module`, if it has one."""
        key = auxiliary_key(self._local_modules[module][-1].name)
        return self.auxiliary[key] if key in self.auxiliary else None

    def has_loss(self, module: int) -> bool:
        """Tell whether local module `module` has a loss of its own."""
        return module == self.plan.modules - 1 or self.auxiliary_of(module) is not None

    def train(self, mode: bool = True) -> LocalImageClassifier:
        """Set the mode, as in torch."""
        self.trainability.forget()
        return super().train(mode)

    @property
    def local_modules(self) -> tuple[tuple[LocalLayer, ...], ...]:
        """The local layers of each module."""
        return self._local_modules

    def check_batch_size(self, size: int | None, *, images: int | None = None) -> None:
        """Check that no training batch will hold a single image if BatchNorm1d forbids it.

        Args:
            size: Images per batch and rank, ``None`` if unknown.
            images: Images per epoch and rank, if the last batch may be smaller.

        Raises:
            ValueError: A BatchNorm1d of an auxiliary network would see one image.
        """
        normed = [entry.name for entry in self.plan.layers
                  if entry.auxiliary is not None and entry.auxiliary.norms_vectors]
        last = images % size if images and size else 0
        if normed and 1 in (size, last):
            which = 'batches' if size == 1 else f'the last batch of {images} images'
            raise ValueError(
                f'{which} would hold 1 image (batch_size={size} per rank), but {len(normed)} '
                f'auxiliary networks (first: {normed[0]}) have a BatchNorm1d, which needs at least '
                '2; raise batch_size, set drop_last=True in train_dataloader, or set '
                'batch_norm_before_fc=False in model.local (AugLocal)')

    def local_steps(self, inputs: Tensor, data_samples: Sequence[Any],
                    precision: Callable[[], AbstractContextManager] = nullcontext,
                    ) -> Iterator[LocalStep]:
        """Run the local modules in depth order, with a boundary after each that has a loss.

        What is trained follows ``requires_grad`` at each call. A module whose parameters
        were all frozen when the model was built has no auxiliary network and so no loss.
        If it is unfrozen later, the next module that has a loss trains it.

        The caller may run a module's backward pass before it asks for the next
        module: no graph is held here across a boundary.

        Args:
            inputs: Preprocessed images [B, C, H, W].
            data_samples: B data samples with labels.
            precision: Returns the context of every forward computation, such as
                autocast. It is never active while the caller has control.
        """
        batch = LocalBatch(inputs, data_samples, self.num_classes)
        x: Features = inputs
        outputs: list[Tensor] = []
        first = None
        for module, layers in enumerate(self._local_modules):
            with precision():
                x, emitted = forward_layers(layers, self.backbone, x)
                outputs += emitted
                losses, logits = self._module_losses(module, x, outputs, batch)
            if first is None and requires_grad(x):
                first = module
            yield LocalStep(module, losses, logits, batch.labels, first)
            del losses, logits, emitted
            if not self.has_loss(module):
                continue
            x, first = boundary(x), None
            outputs = [boundary(output) for output in outputs]

    def _module_losses(self, module: int, x: Features, outputs: list[Tensor],
                       batch: LocalBatch) -> tuple[dict[str, Tensor], Tensor | None]:
        def classification_loss(logits: Tensor) -> dict[str, Tensor]:
            packs = isinstance(self.head, ClsHead)
            return self.head._get_loss(
                logits, batch.packed_samples if packs else batch.data_samples)

        if module == self.plan.modules - 1:
            if not fits(self.head):  # back-propagation can train any head
                return self.head.loss(self._neck_features(tuple(outputs)),
                                      batch.data_samples), None
            logits = self.head_logits(tuple(outputs))
            return classification_loss(logits), logits.detach()
        auxiliary = self.auxiliary_of(module)
        if auxiliary is None or not (requires_grad(x) or any(
                parameter.requires_grad for parameter in auxiliary.parameters())):
            return {}, None
        return auxiliary.losses(x, batch, classification_loss)

    def head_logits(self, outputs: tuple[Tensor, ...]) -> Tensor:
        """Pass the backbone's outputs through neck and head: logits [B, classes]."""
        return self.head(self._neck_features(outputs))

    def _neck_features(self, outputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return self.neck(outputs) if self.with_neck else outputs

    @torch.no_grad()
    def local_logits(self, inputs: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Yield class logits at every depth, for analysis; the last entry is named ``head``.

        Args:
            inputs: Preprocessed images [B, C, H, W].

        Yields:
            The name of the local layer at a module's end, and logits [B, classes];
            modules that learn an embedding are left out.
        """
        x: Features = inputs
        outputs: list[Tensor] = []
        for module, layers in enumerate(self._local_modules):
            x, emitted = forward_layers(layers, self.backbone, x)
            outputs += emitted
            auxiliary = self.auxiliary_of(module)
            if auxiliary is not None and auxiliary.plan.classifies:
                yield layers[-1].name, auxiliary(x)
        yield 'head', self.head_logits(tuple(outputs))

    def inference_view(self) -> InferenceClassifier:
        """Return a plain classifier in evaluation mode that shares this model's weights.

        To count, trace or export what is used for inference: it has no auxiliary
        networks. See :func:`~auglocal_mm.models.inference_view.inference_view`.
        """
        return inference_view(self)

    def loss(self, inputs: Tensor, data_samples: Sequence[Any]) -> dict[str, Tensor]:
        """Return all losses with their graphs, for callers that run one backward pass."""
        self._trained = self._trained or torch.is_grad_enabled()
        follow_data_parallel(self)
        return execution.joint_losses(self, inputs, data_samples)

    def train_step(self, data: Any, optim_wrapper: OptimWrapper,
                   sync: GradientSync | None = None) -> dict[str, Tensor]:
        """Run one training step, immediate if the optimizer wrapper allows it.

        Args:
            data: A batch as the dataloader yields it.
            optim_wrapper: An ``AugLocalOptimWrapper``. With any other wrapper, the
                step is joint: the same gradients, but no memory saved.
            sync: Averages gradients over ranks.

        Returns:
            Values for the log.

        Raises:
            TrainabilityError: Nothing is trained, or the optimizer does not hold a
                parameter that was unfrozen.
            NonFiniteError: A loss or gradient is not finite; no weight was changed.
        """
        self._follow(optim_wrapper)
        if not isinstance(optim_wrapper, LocalOptimizer):
            if sync is not None:
                raise TypeError(_NEEDS_WRAPPER.format(type(optim_wrapper).__name__))
            self._warn_joint(optim_wrapper)
            return super().train_step(data, optim_wrapper)
        data = self.data_preprocessor(data, True)
        return execution.train_step(self, data['inputs'], data['data_samples'], optim_wrapper, sync)

    def _follow(self, optim_wrapper: OptimWrapper) -> None:
        """Notice what was frozen or unfrozen since the last step."""
        self._trained = True
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


_NEEDS_WRAPPER = (
    "LocalDistributedDataParallel needs optim_wrapper.type='auglocal_mm.AugLocalOptimWrapper', "
    'got {}; with another wrapper use mmengine\'s own MMDistributedDataParallel')


def auxiliary_key(name: str) -> str:
    """Return the key of a layer's auxiliary network in ``model.auxiliary`` (without dots)."""
    return name.replace('.', '_')
