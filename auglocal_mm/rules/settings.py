"""Settings that several rules share, checked when a rule is built."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from auglocal_mm.plan import SecondLoss, linear_weights
from auglocal_mm.registry import LOCAL_LOSSES
from auglocal_mm.validation import Faults, is_int


def is_number(value: object) -> bool:
    """Tell whether `value` is a real number; booleans do not count."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def check_depth(faults: Faults, depth: object, minimum: int, meaning: str) -> None:
    """Check `depth`, which counts layers with weights, including the classifier."""
    faults.add_unless(is_int(depth) and depth >= minimum,  # type: ignore[operator]
                      f'depth must be an integer of at least {minimum} ({meaning}), got {depth!r}')


def check_modules(faults: Faults, modules: object) -> None:
    """Check that `modules` is ``None`` or a number of modules."""
    faults.add_unless(
        modules is None or (is_int(modules) and modules >= 2),  # type: ignore[operator]
        f'modules must be None or an integer of at least 2, got {modules!r}; for one module, '
        "which is back-propagation, use type='auglocal_mm.Backprop'")


def check_width(faults: Faults, width: object) -> None:
    """Check `width`, which multiplies the channels of auxiliary networks."""
    faults.add_unless(is_number(width) and width > 0,  # type: ignore[operator]
                      f'width must be a number above 0 (1: unchanged), got {width!r}')


def check_kernel_size(faults: Faults, kernel_size: object) -> None:
    """Check that `kernel_size` is odd, so that padding can keep the side."""
    faults.add_unless(
        is_int(kernel_size) and kernel_size >= 1 and kernel_size % 2 == 1,  # type: ignore[operator]
        f'kernel_size must be an odd integer of at least 1, got {kernel_size!r}')


def check_choice(faults: Faults, name: str, value: object, choices: Sequence[Any]) -> None:
    """Check that `value` is one of `choices`."""
    faults.add_unless(value in choices, f'{name} must be one of {", ".join(map(repr, choices))}, '
                                        f'got {value!r}')


def check_lambda(faults: Faults, name: str, value: object) -> None:
    """Check the first and last value of a weight."""
    faults.add_unless(
        isinstance(value, (tuple, list)) and len(value) == 2
        and all(is_number(part) and part >= 0 for part in value),
        f'{name} must be (first, last), two numbers of at least 0, got {value!r}')


def check_second_loss(faults: Faults, second_loss: object, lambda1: object) -> None:
    """Check that a second loss is registered and comes with its weights."""
    LOCAL_LOSSES.import_from_location()
    known = sorted(LOCAL_LOSSES.module_dict)
    faults.add_unless(second_loss is None or second_loss in known,
                      f'second_loss must be None or one of {", ".join(map(repr, known))}, '
                      f'got {second_loss!r}')
    faults.add_unless(
        (second_loss is None) == (lambda1 is None),
        f'lambda1 are the weights of second_loss: set both or none, got second_loss='
        f'{second_loss!r} with lambda1={lambda1!r}')
    if lambda1 is not None:
        check_lambda(faults, 'lambda1', lambda1)


def second_losses(name: str | None, lambda1: Sequence[float] | None,
                  count: int) -> tuple[SecondLoss | None, ...]:
    """Return the second loss of `count` auxiliary networks, its weight linear in depth."""
    if name is None or lambda1 is None:
        return (None,) * count
    return tuple(SecondLoss(name, weight) for weight in linear_weights(lambda1, count))


def scaled(channels: int, width: float, granularity: int = 1) -> int:
    """Return channels times width, rounded to a multiple of `granularity`, at least one."""
    return granularity * max(1, round(channels * width / granularity))
