#!/usr/bin/env python3
"""Train what one of the paper's tables lacks, and write the table beside the paper's.

    tools/reproduce.py 2 --data data --seeds 3
    tools/reproduce.py small --data IMAGES --epochs-scale 0.025 --seeds 2 --batch-size 64
"""
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def run() -> int:
    from auglocal_mm.lab.reproduction.cli import EXIT_INTERRUPTED, main
    try:
        return main(root=ROOT)
    except KeyboardInterrupt:
        print('\ninterrupted; the same command continues where it stopped', file=sys.stderr)
        return EXIT_INTERRUPTED


if __name__ == '__main__':
    sys.path.insert(0, str(ROOT))
    from auglocal_mm.console.tool import tool
    with tool():
        sys.exit(run())
