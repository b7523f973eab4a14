#!/usr/bin/env python3
"""From digits to a detector, by BP and by AugLocal, with a report.

    tools/demo.py
"""
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

if __name__ == '__main__':
    sys.path.insert(0, str(ROOT))
    from auglocal_mm.demo.cli import main

    sys.exit(main(root=ROOT))
