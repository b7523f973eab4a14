#!/usr/bin/env python3
"""Train from digits to a detector, by BP and by AugLocal, and write a report.

    tools/demo.py

Data and results go below the current folder.
"""
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def run() -> int:
    try:
        from auglocal_mm.lab.demo.cli import main
    except ModuleNotFoundError as error:
        print(f'The demo needs {error.name}, which this Python lacks: run `make demo`, or '
              '`make setup` and then .venv/bin/python tools/demo.py', file=sys.stderr)
        return 2
    return main(root=Path.cwd())


if __name__ == '__main__':
    sys.path.insert(0, str(ROOT))
    from auglocal_mm.console.tool import tool
    with tool(hosts=()):
        sys.exit(run())
