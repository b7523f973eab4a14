"""Settings that several rules share, checked at the door."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from auglocal_mm.plan import SecondLoss, linear_weights
from auglocal_mm.registry import LOCAL_LOSSES
from auglocal_mm.validation import Faults, is_int


def is_number(value: object) -> bool:
    """Whether `value` is a real number, a truth value not counted as one."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def check_depth(faults: Faults, depth: object, minimum: int, meaning: str) -> None:
    """`depth` counts layers with weights, the classifier included."""
    faults.add_unless(is_int(depth) and depth >= minimum,  # type: ignore[operator]
                      f'depth must be an integer of at least {minimum} ({meaning}), got {depth!r}')


def check_modules(faults: Faults, modules: object) -> None:
    """`modules` is ``None`` or a number of runs."""
    faults.add_unless(
        modules is None or (is_int(modules) and modules >= 2),  # type: ignore[operator]
        f'modules must be None or an integer of at least 2, got {modules!r}; for one module, '
        "which is back-propagation, use type='auglocal_mm.Backprop'")


def check_width(faults: Faults, width: object) -> None:
    """`width` multiplies channels of auxiliary networks."""
    faults.add_unless(is_number(width) and width > 0,  # type: ignore[operator]
                      f'width must be a number above 0 (1: unchanged), got {width!r}')


def check_kernel_size(faults: Faults, kernel_size: object) -> None:
    """`kernel_size` is odd, so that padding can keep the side."""
    faults.add_unless(
        is_int(kernel_size) and kernel_size >= 1 and kernel_size % 2 == 1,  # type: ignore[operator]
        f'kernel_size must be an odd integer of at least 1, got {kernel_size!r}')


def check_choice(faults: Faults, name: str, value: object, choices: Sequence[Any]) -> None:
    """`value` is one of `choices`."""
    faults.add_unless(value in choices, f'{name} must be one of {", ".join(map(repr, choices))}, '
                                        f'got {value!r}')


def check_lambda(faults: Faults, name: str, value: object) -> None:
    """A weight's first and last value."""
    faults.add_unless(
        isinstance(value, (tuple, list)) and len(value) == 2
        and all(is_number(part) and part >= 0 for part in value),
        f'{name} must be (first, last), two numbers of at least 0, got {value!r}')


def check_second_loss(faults: Faults, second_loss: object, lambda1: object) -> None:
    """A second loss is a registered one, and comes with its weights."""
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
    """The second loss of each of `count` auxiliary networks, its weight linear in depth."""
    if name is None or lambda1 is None:
        return (None,) * count
    return tuple(SecondLoss(name, weight) for weight in linear_weights(lambda1, count))


def scaled(channels: int, width: float, granularity: int = 1) -> int:
    """Channels times width, rounded to a multiple of `granularity`, one at least."""
    return granularity * max(1, round(channels * width / granularity))
