"""What a classifier costs: multiply-adds and parameters of its parts, counted by fvcore."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import torch
from fvcore.nn import FlopCountAnalysis
from mmpretrain.models import ImageClassifier
from torch import Tensor, nn

from auglocal_mm.engine.launch import load_config
from auglocal_mm.lab.pages.text_table import plain_table
from auglocal_mm.models import LocalTraining
from auglocal_mm.models.inference_view import copy_sharing_weights
from auglocal_mm.partition import Tokens, forward_units, image_channels

from .config_model import build_model, image_shape

Kind = Literal['layer', 'auxiliary', 'head']


@dataclass(frozen=True)
class PartCount:
    """What one part of a classifier costs.

    Attributes:
        name: The unit's name, also for its auxiliary network; ``backbone`` for
            a plain classifier's; ``head`` for neck and head together.
        kind: The kind of part.
        flops: Multiply-adds for the inference of one image.
        params: Number of parameters, including frozen ones.
    """
    name: str
    kind: Kind
    flops: int
    params: int


@dataclass(frozen=True)
class Complexity:
    """What a classifier costs, part by part in the order of the forward pass.

    FLOPs are multiply-adds for one image as fvcore counts them: convolutions, linear
    layers, matrix products and attention, plus what it adds for norms and adaptive
    pooling. Auxiliary networks count up to their logits or embedding. As in the paper,
    the networks of second losses, such as InfoPro's decoders, are not part of ``flops``.
    They are trained, so they are part of ``params``.

    Attributes:
        parts: Units, each followed by its auxiliary network; then the head.
        input_shape: Channels, height and width of the image.
    """
    parts: tuple[PartCount, ...]
    input_shape: tuple[int, int, int]

    @property
    def flops(self) -> int:
        """Multiply-adds of everything."""
        return self.backbone_flops + self.auxiliary_flops

    @property
    def backbone_flops(self) -> int:
        """Multiply-adds of backbone, neck and head: inference, and the forward pass of BP."""
        return sum(part.flops for part in self.parts if part.kind != 'auxiliary')

    @property
    def auxiliary_flops(self) -> int:
        """Multiply-adds of all auxiliary networks."""
        return sum(part.flops for part in self.parts if part.kind == 'auxiliary')

    @property
    def params(self) -> int:
        """Parameters of everything."""
        return self.backbone_params + self.auxiliary_params

    @property
    def backbone_params(self) -> int:
        """Parameters of backbone, neck and head."""
        return sum(part.params for part in self.parts if part.kind != 'auxiliary')

    @property
    def auxiliary_params(self) -> int:
        """Parameters under ``auxiliary.*``, including those of second losses."""
        return sum(part.params for part in self.parts if part.kind == 'auxiliary')

    def find(self, kind: Kind, name: str) -> PartCount | None:
        """Return the part of this kind and name, if there is one."""
        return next((part for part in self.parts if (part.kind, part.name) == (kind, name)), None)

    def to_dict(self) -> dict[str, Any]:
        """Return the sums as plain integers."""
        return dict(
            flops=self.flops, backbone_flops=self.backbone_flops,
            auxiliary_flops=self.auxiliary_flops, params=self.params,
            backbone_params=self.backbone_params, auxiliary_params=self.auxiliary_params,
            input_shape=list(self.input_shape))

    def __str__(self) -> str:
        sides = '×'.join(map(str, self.input_shape))
        rows = [(name, f'{flops / 1e9:.3f} GFLOPs', f'{params / 1e6:.3f} M')
                for name, flops, params in (
                    ('backbone, neck, head', self.backbone_flops, self.backbone_params),
                    ('auxiliary networks', self.auxiliary_flops, self.auxiliary_params),
                    ('together', self.flops, self.params))]
        shares = [100 * part / whole if whole else 0.0 for part, whole in (
            (self.auxiliary_flops, self.flops), (self.auxiliary_params, self.params))]
        rows.append(('auxiliary share', f'{shares[0]:.1f} %', f'{shares[1]:.1f} %'))
        return (f"multiply-adds of one {sides} image (fvcore's count), and parameters\n"
                + plain_table(rows, right=(1, 2)))


def complexity_of_config(path: str, cfg_options: dict | None = None,
                         shape: Sequence[int] | None = None) -> Complexity:
    """Build a config's model and count it, without touching a data set.

    Args:
        path: The config.
        cfg_options: Settings that override it.
        shape: Height and width of the image in pixels, or one number for both;
            ``None`` takes the size from the config's data pipelines.

    Raises:
        FileNotFoundError: There is no such config.
        TypeError, ValueError: See :func:`complexity` and :func:`image_shape`.
    """
    cfg = load_config(path, cfg_options=cfg_options)
    size = image_shape(cfg, shape)
    return complexity(build_model(cfg, path), size)


def complexity(model: Any, shape: tuple[int, int]) -> Complexity:
    """Count a classifier, plain or local, in evaluation mode.

    The function runs a copy that shares the parameters, so the mode, buffers and
    random states of `model` do not change.

    Args:
        model: mmpretrain's ``ImageClassifier`` or a ``LocalImageClassifier``.
        shape: Height and width of the image in pixels.

    Raises:
        TypeError: The model is not such a classifier.
        ValueError: An image of this shape does not pass through it.
    """
    if not isinstance(model, ImageClassifier):
        raise TypeError(f"the model must be a LocalImageClassifier or mmpretrain's "
                        f'ImageClassifier to be counted, got {type(model).__name__}')
    model = copy_sharing_weights(model)
    model.eval()
    channels = image_channels(model.backbone)
    images = next(model.parameters()).new_zeros(1, channels, *shape)
    parts = _local_parts if isinstance(model, LocalTraining) else _plain_parts
    try:
        with torch.no_grad():
            return Complexity(tuple(parts(model, images)), (channels, *shape))
    except (AssertionError, RuntimeError) as error:
        reason = str(error).partition('\n')[0] or type(error).__name__
    raise ValueError(f'an image of {shape[0]}×{shape[1]} does not pass through '
                     f'{type(model.backbone).__name__}; choose another --shape ({reason})')


def _plain_parts(model: Any, images: Tensor) -> Iterator[PartCount]:
    """Count the backbone as one part, then neck and head."""
    yield _count('backbone', 'layer', model.backbone, model.backbone, images)
    ends = _ends(model)
    if len(ends):
        yield _count('head', 'head', ends, nn.Sequential(*ends), model.backbone(images))


def _local_parts(model: Any, images: Tensor) -> Iterator[PartCount]:
    """Count each unit, followed by the auxiliary networks that read it; then neck and head."""
    x: Any = images
    outputs: list[Any] = []
    for index, unit in enumerate(model.chain.units):
        run = partial(forward_units, [unit], model.backbone)
        yield _count(unit.name, 'layer', model.backbone, run, x, unit.parameters(model.backbone))
        x, emitted = run(x)
        outputs += emitted
        for loss in model.plan.losses:
            if loss.unit == index:
                auxiliary = model.auxiliary[loss.key]
                yield _count(unit.name, 'auxiliary', auxiliary, auxiliary, x)
    yield _count('head', 'head', _ends(model), model.head_logits, tuple(outputs))


def _ends(model: Any) -> nn.ModuleList:
    return nn.ModuleList(part for part in (model.neck, model.head) if part is not None)


def _count(name: str, kind: Kind, owner: nn.Module, call: Callable[[Any], Any], x: Any,
           parameters: Iterable[nn.Parameter] | None = None) -> PartCount:
    parameters = owner.parameters() if parameters is None else parameters
    return PartCount(name, kind, count_flops(owner, call, x),
                     sum(parameter.numel() for parameter in parameters))


def count_flops(owner: nn.Module, call: Callable[[Any], Any], x: Any) -> int:
    """Count the multiply-adds of ``call(x)``.

    Args:
        owner: Holds every module and parameter that `call` uses, in evaluation mode.
        call: The function to count.
        x: Tensor, :class:`~auglocal_mm.partition.Tokens`, or tuples of tensors.
    """
    analysis = FlopCountAnalysis(_Traceable(owner, call, x), (_tensors(x),))
    # fvcore would warn of every addition and activation, which have no multiply-adds.
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    # fvcore has no count of torch's fused attention.
    analysis.set_op_handle('aten::scaled_dot_product_attention', _attention_flops)
    return int(analysis.total())


class _Traceable(nn.Module):
    """Wraps a function of features so that tensors go in and out, as ``torch.jit`` needs.

    Args:
        owner: Holds what `call` uses.
        call: A function of features.
        like: Features; their parts that are not tensors are used in every call.
    """

    def __init__(self, owner: nn.Module, call: Callable[[Any], Any], like: Any) -> None:
        super().__init__()
        self.owner = owner
        # In a tuple, so that it is not registered as a submodule a second time.
        self.calls = (call,)
        self.tokens = like if isinstance(like, Tokens) else None

    def forward(self, values: Any) -> Any:
        """Map nested tensors to nested tensors."""
        x = values if self.tokens is None else replace(self.tokens, values=values)
        return _tensors(self.calls[0](x))


def _tensors(x: Any) -> Any:
    """Convert features to tensors, also inside tuples."""
    if isinstance(x, (tuple, list)):
        return tuple(_tensors(part) for part in x)
    return x.values if isinstance(x, Tokens) else x


def _attention_flops(inputs: list[Any], outputs: list[Any]) -> int:
    """Count queries by keys and weights by values: 2·B·heads·L·L·d in self-attention."""
    query, _, value = (part.type().sizes() for part in inputs[:3])
    *batches, queries, width = query
    keys, value_width = value[-2:]
    count = queries * keys * (width + value_width)
    for size in batches:
        count *= size
    return count
