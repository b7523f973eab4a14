"""Convolution at the masked pixels of one image: columns out, and back in."""
from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from .precision import widen


def masked_im2col_forward(
    features: Tensor, mask_h_idx: Tensor, mask_w_idx: Tensor, data_col: Tensor, *,
    kernel_h: int, kernel_w: int, pad_h: int, pad_w: int,
) -> None:
    """Gather the neighbourhood of each masked pixel.

    Args:
        features: Shape [1×C×H×W].
        mask_h_idx: Rows of the M pixels, shape [M].
        mask_w_idx: Columns of the pixels, shape [M].
        data_col: Receives the result; shape [(C·``kernel_h``·``kernel_w``)×M].
        kernel_h: Kernel height.
        kernel_w: Kernel width.
        pad_h: Rows of zeros above and below.
        pad_w: Columns of zeros left and right.
    """
    columns = F.unfold(widen(features), (kernel_h, kernel_w), padding=(pad_h, pad_w))[0]
    width = features.shape[3] + 2 * pad_w - kernel_w + 1
    data_col.copy_(columns[:, mask_h_idx * width + mask_w_idx])


def masked_col2im_forward(
    masked_output: Tensor, mask_h_idx: Tensor, mask_w_idx: Tensor, output: Tensor, *,
    height: int, width: int, channels: int,
) -> None:
    """Put ``masked_output`` [C×M] at the masked pixels of ``output`` [1×C×H×W]."""
    output[0, :, mask_h_idx, mask_w_idx] = masked_output
