"""How a model's images are normalised."""
from __future__ import annotations

from torch import nn

from auglocal_mm.partition import image_channels


def image_statistics(preprocessor: nn.Module, backbone: nn.Module,
                     ) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the mean and standard deviation of the normalisation, in pixel values.

    There is one of each per channel of the backbone's images; 0 and 1 if images are
    not normalised.
    """
    channels = image_channels(backbone)
    statistics = []
    for name, default in (('mean', 0.0), ('std', 1.0)):
        value = getattr(preprocessor, name, None)
        values = [default] if value is None else value.flatten().tolist()
        statistics.append(tuple(values * channels if len(values) == 1 else values))
    return statistics[0], statistics[1]
