"""Runs a script that imports OpenMMLab before anything else could import this package.

    python -m auglocal_mm.operators tools/test.py CONFIG CHECKPOINT

The script sees its own name, arguments and folder, as if Python had started it.
"""
from __future__ import annotations

import runpy
import sys
from pathlib import Path


def main() -> None:
    """Run the script named by the first argument.

    Raises:
        SystemExit: No script is named, or there is none of that name.
    """
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in ('-h', '--help'):
        raise SystemExit(__doc__)
    if not Path(arguments[0]).is_file():
        raise SystemExit(f'error: no script at {arguments[0]}; give the path of a Python file')
    sys.argv = arguments
    if not getattr(sys.flags, 'safe_path', False):  # else Python adds no folder at all
        sys.path[0] = str(Path(arguments[0]).resolve().parent)
    runpy.run_path(arguments[0], run_name='__main__')


if __name__ == '__main__':
    main()
