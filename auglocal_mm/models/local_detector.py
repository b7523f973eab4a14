"""Any detector of mmdet whose backbone is trained module by module."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import cache, partial
from typing import Any, ClassVar

from mmengine.registry import MODELS as ROOT_MODELS
from torch import Tensor

from auglocal_mm.config.named import class_of
from auglocal_mm.registry import MODELS
from auglocal_mm.rules import build_rule
from auglocal_mm.tasks.detection import DetectionTask, build_local_losses, plan_local_losses
from auglocal_mm.validation import shown

from .backbone_calls import require_one_call
from .detector_end import detector_end
from .detector_fit import (
    classes_of,
    require_known,
    require_own_backbone,
    require_plain_neck,
)
from .finished_backbone import finished_backbone
from .image_statistics import image_statistics
from .local_training import LocalTraining
from .recomputed_heads import recomputed_heads

#: The local losses of a detector whose config names none: boxes need the first one, and masks
#: suffer without the second (docs/detection.md).
DEFAULT_LOSS = ('detection', 'reconstruction')


@MODELS.register_module()
class LocalDetector(LocalTraining):
    """mmdet's detector, its backbone trained by local losses.

    ``LocalDetector(detector='MaskRCNN', …)`` is a ``MaskRCNN``: an object of a class made
    from both. ``backbone.*``, ``neck.*`` and the heads are the plain detector's own modules
    and state-dict keys; auxiliary networks are under ``auxiliary.*``. Inference is that of
    the plain detector.

    The last module trains neck and heads as well, by the detector's own losses. Each earlier
    module learns through auxiliary networks, by `local_loss`. What the backbone hands to the
    neck is detached at every boundary, so the neck trains the last module alone.

    Args:
        local: The learning rule, e.g. ``dict(type='auglocal_mm.AugLocal', depth=3, modules=4)``.
        detector: The detector's ``type``, beside its own settings; or its whole config.
        local_loss: ``'detection'``, ``'segmentation'``, ``'image_level'``,
            ``'reconstruction'`` or a registered loss of your own; a dict with ``type`` and
            settings; or a list of several. By default detection and reconstruction.
        recompute: What is computed a second time in backward passes instead of being kept:
            ``True`` for everything, or a list of ``'modules'`` (the units of all modules),
            ``'last'`` (those of the last module, neck and heads) and ``'auxiliary'``.
        auxiliary_norm: ``'group'``, GroupNorm in auxiliary networks, or ``'backbone'``,
            norms like the backbone's.
        **kwargs: The detector's settings.

    Attributes:
        plan: The :class:`~auglocal_mm.plan.LocalPlan` that was built.
        auxiliary: Auxiliary networks by unit name, dots replaced by ``_``.
        local_metrics: Losses of the latest training step.

    Raises:
        TypeError: `detector` is no detector, has no backbone of its own, or has one that
            cannot be partitioned.
        ValueError: A setting is impossible for this detector.
    """

    task: DetectionTask
    #: The plain detector's class.
    host: ClassVar[type]
    #: Height and width that COCO's images usually have in training, on which costs are counted.
    usual_shape = (800, 1344)

    def __new__(cls, *args: Any, detector: Any = None, **kwargs: Any) -> Any:
        """Make an object of a class that is a ``LocalDetector`` and a detector."""
        if cls is not LocalDetector:
            return super().__new__(cls)
        kind, _ = _host(detector, {})
        return super().__new__(_local(kind))

    def __init__(self, local: Any = None, detector: Any = None, local_loss: Any = DEFAULT_LOSS,
                 recompute: Any = (), auxiliary_norm: str = 'group', **kwargs: Any) -> None:
        # First, because mistakes in them cost no time then.
        if local is None:
            raise ValueError("model.local is missing; set a learning rule, such as local=dict("
                             "type='auglocal_mm.AugLocal', depth=3, modules=4)")
        rule, losses = build_rule(local), build_local_losses(local_loss)
        kind, settings = _host(detector, kwargs)
        require_known(kind, settings, own=('local', 'detector', 'local_loss', 'recompute',
                                           'auxiliary_norm'))
        require_own_backbone(kind, settings)
        require_one_call(kind, _detectors())
        super().__init__(**settings)
        classes = classes_of(self)
        mean, std = image_statistics(self.data_preprocessor, self.backbone)
        self.learn_locally(
            rule, lambda plan: DetectionTask(
                num_classes=classes, local_losses=losses, mean=mean, std=std),
            networks=partial(plan_local_losses, losses=list(losses.values())),
            recompute=recompute, auxiliary_norm=auxiliary_norm)
        require_plain_neck(self)

    def __reduce__(self) -> Any:
        # The class is made when it is needed, so it has no address that pickle could store.
        return _empty, (type(self).host,), self.__dict__

    def end_parts(self, outputs: tuple[Any, ...]) -> Iterable[Callable[[], Any]]:
        """See :meth:`LocalTraining.end_parts`."""
        return detector_end(self, outputs)

    def loss_of_outputs(self, outputs: tuple[Any, ...], inputs: Tensor,
                        data_samples: Sequence[Any]) -> dict[str, Any]:
        """Return the detector's own losses of its backbone's outputs.

        Args:
            outputs: What the backbone returns for the images.
            inputs: Preprocessed images [B, 3, H, W].
            data_samples: B data samples with ground truth.

        Raises:
            TypeError: The detector reads more of its backbone than its outputs.
        """
        with ExitStack() as stack:
            stack.enter_context(finished_backbone(self, outputs))
            if 'last' in self.recompute:
                stack.enter_context(recomputed_heads(self))
            # Positionally: mmdet's detectors name these arguments differently.
            return super(LocalTraining, self).loss(inputs, data_samples)  # type: ignore[misc]


@cache
def _local(host: type) -> type[LocalDetector]:
    """Return the class of a detector that is trained locally; one for each plain class."""
    return type(f'Local{host.__name__}', (LocalDetector, host),
                {'__module__': __name__, '__doc__': host.__doc__, 'host': host})


def _detectors() -> type:
    """Return the class of all of mmdet's detectors; mmdet is imported where one is needed."""
    from mmdet.models.detectors import BaseDetector

    return BaseDetector


def _empty(host: type) -> LocalDetector:
    cls = _local(host)
    return cls.__new__(cls)


def _host(detector: Any, settings: Mapping[str, Any]) -> tuple[type, dict[str, Any]]:
    """Return the plain detector's class, and all of its settings.

    Raises:
        TypeError: It is no detector of mmdet.
        ValueError: A setting is given twice.
    """
    inner = dict(detector) if isinstance(detector, Mapping) else {'type': detector}
    name = inner.pop('type', None)
    inner.pop('_scope_', None)
    found = class_of(name, ROOT_MODELS)
    if not (isinstance(found, type) and issubclass(found, _detectors())):
        raise TypeError(
            'model.detector must be the type of a detector of mmdet, or its whole config, got '
            f"{shown(name)}; for example detector='MaskRCNN'")
    if issubclass(found, LocalDetector):
        raise TypeError('model.detector must be a plain detector, got LocalDetector')
    if inner.get('data_preprocessor') is not None:
        # mmengine's runner adds the config's own wherever a model has none beside its type.
        settings = {key: value for key, value in settings.items() if key != 'data_preprocessor'}
    twice = sorted(set(inner) & set(settings))
    if twice:
        raise ValueError(f'model.{twice[0]} is given beside model.detector and inside it; keep one')
    return found, {**inner, **settings}
