"""Keeps auxiliary networks out of the tools that analyse a model for inference."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn


class HiddenAuxiliary(nn.Module):
    """Hides the child ``auxiliary`` while a model is set up as one for inference.

    OpenMMLab's tools do that in two steps: ``model.eval()``, then ``model.forward =
    model.extract_feat``. From then on the child is left out where torch lists
    parameters and modules, so counts and traces are the plain classifier's. It comes
    back with ``train()``. A model that has trained a step never hides it, nor does one
    whose ``forward`` is its own: hooks, optimizers and data parallel wrappers always
    see every parameter. ``state_dict``, ``load_state_dict``, ``to`` and
    ``model.auxiliary`` reach it in any case.
    """

    _trained = False

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        # This assignment is the only sign that a tool gives before it counts or traces.
        if name == 'forward':
            self._show_or_hide()

    def __getattr__(self, name: str) -> Any:
        if name == 'auxiliary' and '_hidden' in self.__dict__:
            return self.__dict__['_hidden'][0]
        return super().__getattr__(name)

    def train(self, mode: bool = True) -> Any:
        """Set the mode, as in torch."""
        super().train(mode)
        self._show_or_hide()
        return self

    def _show_or_hide(self) -> None:
        if 'forward' in self.__dict__ and not self.training and not self._trained:
            if 'auxiliary' in self._modules:
                # In a tuple, so that it does not become a child again.
                self.__dict__['_hidden'] = (self._modules.pop('auxiliary'),)
        else:
            self._show()

    def _show(self) -> None:
        if '_hidden' in self.__dict__:
            self._modules['auxiliary'], = self.__dict__.pop('_hidden')

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> Any:
        super()._apply(fn, recurse)
        if recurse and '_hidden' in self.__dict__:
            self.auxiliary._apply(fn)
        return self

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """Return every weight, as in torch."""
        self._show()
        state = super().state_dict(*args, **kwargs)
        self._show_or_hide()
        return state

    def _load_from_state_dict(self, *args: Any) -> None:
        self._show()  # whoever loads goes on to the children
        super()._load_from_state_dict(*args)
