"""Makes mmengine read every checkpoint through :func:`read_checkpoint`.

mmengine falls back to unpickling anything when a file holds more than tensors, and a
config inside a checkpoint is executed when a run resumes from it. Where our reader *is*
mmengine's, no spelling of ``init_cfg``, ``pretrained`` or ``load_from`` leads around it,
and what was checked is what is loaded.
"""
from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from mmengine.runner import checkpoint as host

from .errors import CheckpointError
from .read import read_checkpoint

#: Storage services; their files must be fetched first.
SERVICES = ('pavi://', 's3://', 'petrel://')


def use_safe_reader() -> None:
    """Replace mmengine's readers in this process; calling it again changes nothing.

    The tools call it before they build anything. A project with train scripts of its
    own calls it once, before it builds its runner.
    """
    # The empty prefix is that of all paths without another.
    readers = {'': load_from_local, 'http://': load_from_http, 'https://': load_from_http}
    for prefix, reader in readers.items():
        host.CheckpointLoader.register_scheme(prefix, reader, force=True)
    for prefix in SERVICES:
        # mmengine registers some as patterns, such as `(\S+\:)?s3://`.
        for scheme in [each for each in host.CheckpointLoader._schemes if each.endswith(prefix)]:
            host.CheckpointLoader.register_scheme(scheme, load_from_service, force=True)
    # mmengine's readers of names such as torchvision:// call these two.
    host.load_from_http = load_from_http
    if hasattr(host, '_safe_torch_load'):  # mmengine 0.10.7 has none
        host._safe_torch_load = _unpickled


def load_from_file(filename: str | Path, map_location: Any = None) -> dict[str, Any]:
    """Read a checkpoint for mmengine, which would execute ``meta['config']`` on a resume."""
    content = read_checkpoint(filename, map_location=map_location or 'cpu')
    if 'config' in content.get('meta', {}):
        content['meta'] = {key: value for key, value in content['meta'].items()
                           if key != 'config'}
    return content


def load_from_local(filename: str, map_location: Any = None) -> dict[str, Any]:
    """Read a file for mmengine."""
    return load_from_file(filename, map_location)


def _unpickled(file: Any, map_location: Any = None, **_: Any) -> dict[str, Any]:
    if not isinstance(file, (str, Path)):
        raise CheckpointError('a checkpoint from a stream cannot be read safely; save it as a '
                              'file and give its path')
    return load_from_file(file, map_location)


def load_from_http(filename: str, map_location: Any = None, model_dir: str | None = None,
              progress: bool = False, **_: Any) -> dict[str, Any]:
    """Download a file, unless it was downloaded before, and read it."""
    if Path(filename).is_file():
        # A path such as http:/x.pth, written with two slashes.
        return load_from_file(filename, map_location)
    folder = Path(model_dir or Path(torch.hub.get_dir()) / 'checkpoints')
    target = folder / filename.rpartition('/')[2].partition('?')[0]
    rank, ranks = host.get_dist_info()
    if rank == 0 and not target.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        named = torch.hub.HASH_REGEX.search(target.name)
        try:
            torch.hub.download_url_to_file(filename, str(target), named[1] if named else None,
                                           progress=progress)
        except (OSError, RuntimeError, ValueError) as error:
            raise CheckpointError(f'{filename} cannot be downloaded ({error}); download it '
                                  'yourself and give the path') from error
    # The others must not open what the first is still writing.
    if ranks > 1:
        torch.distributed.barrier()
    return load_from_file(target, map_location)


def load_from_service(filename: str, map_location: Any = None, **_: Any) -> dict[str, Any]:
    """Refuse a file that is on no file system."""
    if Path(filename).is_file():
        return load_from_file(filename, map_location)
    raise CheckpointError(f'{filename} is not on this machine; download it first and give the '
                          'path, so that it can be read without running code from it')
