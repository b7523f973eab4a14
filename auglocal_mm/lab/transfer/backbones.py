"""The exported backbones that are compared: their names, files and weights."""
from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from auglocal_mm.checkpoints import CheckpointError, read_checkpoint
from auglocal_mm.checkpoints.starting_weights import require_finite

PREFIX = 'backbone.'
#: A name becomes a folder, and a cell of a Markdown table.
_NAME = re.compile(r'(?!\.)[^/\\|\n]+')
#: What --cfg-options takes apart in a value.
_LOST = re.compile(r'[\s,\'"()\[\]]')
_READ_BYTES = 1 << 20


@dataclass(frozen=True)
class Backbone:
    """One exported backbone, and so one row of every table.

    Attributes:
        name: Its name.
        file: Its file.
        cost: Time of a run relative to the other rows: they all train the same detector.
    """

    name: str
    file: Path
    cost: float = 1.0

    @property
    def label(self) -> str:
        """Its name in tables."""
        return self.name

    def digest(self) -> str:
        """Return the SHA-256 of the file's content."""
        found = hashlib.sha256()
        with self.file.open('rb') as file:
            while read := file.read(_READ_BYTES):
                found.update(read)
        return found.hexdigest()

    def weights(self) -> dict[str, Tensor]:
        """Read the weights, whose keys begin with ``backbone.``.

        Raises:
            CheckpointError: The file is missing, damaged, or no exported backbone.
        """
        state = read_checkpoint(self.file)['state_dict']
        others = [key for key in state if not key.startswith(PREFIX)]
        if others:
            more = f' and {len(others) - 1} other entries' if len(others) > 1 else ''
            raise CheckpointError(
                f'{self.file} is no exported backbone, whose keys all begin with {PREFIX}: it '
                f'holds {others[0]}{more}; export it first: '
                f'tools/model_converters/export_backbone.py {self.file} OUT')
        require_finite(state, self.file)
        return dict(state)


def parse_backbones(arguments: Sequence[str]) -> list[Backbone]:
    """Parse ``FILE`` or ``NAME=FILE``; a file called ``backbone`` is named by its folder.

    Raises:
        ValueError: A name is impossible or used twice, or a path cannot be passed on.
    """
    found: list[Backbone] = []
    for argument in arguments:
        backbone = _parse(argument)
        if not _NAME.fullmatch(backbone.name):
            raise ValueError(f'the name of a backbone must be a folder name without |, got '
                             f'{backbone.name!r}')
        if _LOST.search(str(backbone.file)):
            raise ValueError(f'the path of a backbone must be without spaces, commas, quotes and '
                             f'brackets, which --cfg-options cannot pass on, got '
                             f'{str(backbone.file)!r}; move or link the file')
        # Folders of some systems do not tell upper from lower case.
        same = [each for each in found if each.name.lower() == backbone.name.lower()]
        if same:
            raise ValueError(f'two backbones are called {backbone.name!r}: {same[0].file} and '
                             f'{backbone.file}; name them as NAME={backbone.file}')
        found.append(backbone)
    return found


def _parse(argument: str) -> Backbone:
    name, equals, path = argument.partition('=')
    if not equals or Path(argument).is_file():
        file = Path(argument)
        stem = file.resolve().parent.name if file.stem == 'backbone' else file.stem
        return Backbone(stem, file)
    if not path:
        raise ValueError(f'a backbone must be NAME=FILE or FILE, got {argument}')
    return Backbone(name, Path(path))
