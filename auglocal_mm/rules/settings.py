"""Settings that several rules share, checked when a rule is built."""
from __future__ import annotations

from collections.abc import Sequence

from auglocal_mm.plan import SecondLoss, linear_weights
from auglocal_mm.registry import LOCAL_LOSSES
from auglocal_mm.validation import (
    Faults,
    check_choice,
    check_int,
    check_number,
    is_int,
    is_number,
    is_one_of,
    shown,
)

#: How a number of modules splits the units.
BALANCES = ('units', 'memory', 'time')
#: Largest values. An auxiliary network beyond them would cost more than any backbone that it
#: trains; Table 4 needs up to 46 times the width, and kernels of 3.
MAX_DEPTH, MAX_WIDTH, MAX_KERNEL_SIZE, MAX_LAMBDA = 100, 100, 31, 1e6


def check_depth(faults: Faults, depth: object, minimum: int, meaning: str) -> None:
    """Check `depth`, which counts layers with weights, including the classifier."""
    check_int(faults, 'depth', depth, minimum, MAX_DEPTH, note=f' ({meaning})')


def check_modules(faults: Faults, modules: object) -> None:
    """Check that `modules` is ``None``, a number, ``'stages'``, or names of units."""
    names = isinstance(modules, (list, tuple)) and bool(modules) and all(
        isinstance(name, str) for name in modules)
    number = is_int(modules) and modules >= 2  # type: ignore[operator]
    faults.add_unless(
        modules is None or number or is_one_of(modules, ('stages',)) or names,
        f"modules must be None, an integer of at least 2, 'stages', or the names of the units at "
        f'which modules end, got {shown(modules)}; for one module, which is back-propagation, use '
        "type='auglocal_mm.Backprop'")


def check_balance(faults: Faults, balance: object, modules: object) -> None:
    """Check `balance`, which says how a number of modules splits the units."""
    check_choice(faults, 'balance', balance, BALANCES)
    faults.add_unless(
        not is_one_of(balance, BALANCES) or balance == 'units' or is_int(modules),
        f'balance={shown(balance)} chooses the ends of a number of modules, got modules='
        f"{shown(modules)}; set modules to a number such as 4, or balance='units'")


def check_width(faults: Faults, width: object) -> None:
    """Check `width`, which multiplies the channels of auxiliary networks."""
    check_number(faults, 'width', width, 0, MAX_WIDTH, above=True, note=' (1: unchanged)')


def check_kernel_size(faults: Faults, kernel_size: object) -> None:
    """Check that `kernel_size` is odd, so that padding can keep the side."""
    odd = is_int(kernel_size) and kernel_size % 2 == 1  # type: ignore[operator]
    faults.add_unless(
        odd and 1 <= kernel_size <= MAX_KERNEL_SIZE,  # type: ignore[operator]
        f'kernel_size must be an odd integer of at least 1 and at most {MAX_KERNEL_SIZE}, got '
        f'{shown(kernel_size)}')


def check_lambda(faults: Faults, name: str, value: object) -> None:
    """Check the first and last value of a weight; λ2 may not be 0 everywhere."""
    holds = isinstance(value, (tuple, list)) and len(value) == 2 and all(
        is_number(part) and 0 <= part <= MAX_LAMBDA for part in value)
    faults.add_unless(holds, f'{name} must be (first, last), two numbers of at least 0 and at most '
                             f'{MAX_LAMBDA:,g}, got {shown(value)}')
    faults.add_unless(not holds or name != 'lambda2' or any(value),  # type: ignore[arg-type]
                      f'lambda2 must have a number above 0, got {shown(value)}: no unit '
                      'would learn classes')


def check_second_loss(faults: Faults, second_loss: object, lambda1: object) -> None:
    """Check that a second loss is registered and comes with its weights."""
    LOCAL_LOSSES.import_from_location()
    known = sorted(LOCAL_LOSSES.module_dict)
    faults.add_unless(second_loss is None or is_one_of(second_loss, known),
                      f'second_loss must be None or one of {", ".join(map(repr, known))}, '
                      f'got {shown(second_loss)}')
    faults.add_unless(
        (second_loss is None) == (lambda1 is None),
        f'lambda1 are the weights of second_loss: set both or none, got second_loss='
        f'{shown(second_loss)} with lambda1={shown(lambda1)}')
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
