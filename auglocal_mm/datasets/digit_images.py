"""Scikit-learn's digit images: their split and their enlargement in integers."""
import numpy as np

DIGIT_CLASSES = tuple('0123456789')
SPLITS = ('train', 'test')

_DIGIT_COUNT = 1797
_TEST_STRIDE = 5


def load_digit_images(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Load one part of the 1,797 digits.

    The digits are ordered by class, and within a class as in scikit-learn. Every
    fifth is a test image. This gives 360 test and 1,437 training images, 35 to 37
    and 139 to 147 of each class. Nothing is drawn at random.

    Args:
        split: ``'train'`` or ``'test'``.

    Returns:
        The images, int64 of shape (n, 8, 8) with levels 0 to 16, and their
        labels, int64 of shape (n,).

    Raises:
        ValueError: The split is unknown.
        ModuleNotFoundError: Scikit-learn is missing.
        RuntimeError: Scikit-learn's digits are not the 1,797 expected ones.
    """
    if split not in SPLITS:
        raise ValueError(f'split must be one of {SPLITS}, got {split!r}')
    bunch = import_sklearn_datasets().load_digits()
    images, labels = bunch.images.astype(np.int64), bunch.target.astype(np.int64)
    if images.shape != (_DIGIT_COUNT, 8, 8) or images.min() < 0 or images.max() > 16:
        raise RuntimeError(
            f'scikit-learn returned digits of shape {images.shape}, levels {images.min()} to '
            f'{images.max()}; expected ({_DIGIT_COUNT}, 8, 8), levels 0 to 16: '
            'install another version of scikit-learn')
    # Stable, so that the split does not depend on NumPy's version.
    order = np.argsort(labels, kind='stable')
    is_test = np.arange(len(order)) % _TEST_STRIDE == 0
    # Back in scikit-learn's order, in which the classes are mixed.
    chosen = np.sort(order[is_test if split == 'test' else ~is_test])
    return images[chosen], labels[chosen]


def import_sklearn_datasets():  # type: ignore[no-untyped-def]
    """Import ``sklearn.datasets``, or say how to install it."""
    try:
        import sklearn.datasets
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            'the digits are part of scikit-learn, which is not installed: '
            'pip install scikit-learn', name=error.name) from error
    return sklearn.datasets


def upsample(image: np.ndarray, side_px: int) -> tuple[np.ndarray, int]:
    """Enlarge a square image of integers by bilinear interpolation, exactly.

    Pixel centres are aligned as in ``align_corners=False``. All arithmetic is
    on integers, so every machine gives the same result.

    Args:
        image: int64 of shape (m, m).
        side_px: The new side, at least m.

    Returns:
        An int64 field of shape (side_px, side_px) and the factor by which it
        is larger than the interpolated values.

    Raises:
        ValueError: ``side_px`` is smaller than the image's side.
    """
    side = image.shape[0]
    if side_px < side:
        raise ValueError(f'side_px must be at least the image\'s side {side}, got {side_px}')
    # Position of each new centre on the old grid, in units of 1 / (2 * side_px).
    unit = 2 * side_px
    position = np.clip((2 * np.arange(side_px) + 1) * side - side_px, 0, (side - 1) * unit)
    # The last position is an old centre itself, with none to its right.
    left = np.minimum(position // unit, side - 2)
    weights = np.zeros((side_px, side), dtype=np.int64)
    rows = np.arange(side_px)
    weights[rows, left + 1] = position - left * unit
    weights[rows, left] = unit - weights[rows, left + 1]
    return weights @ image @ weights.T, unit * unit
