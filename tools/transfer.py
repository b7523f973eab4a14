#!/usr/bin/env python3
"""Train the same detector on several exported backbones and lay them side by side.

    tools/transfer.py BP=bp/backbone.pth AugLocal=auglocal/backbone.pth \\
        --detector configs/mask_rcnn/mask-rcnn_r34_bp_fpn_adamw_1x_coco.py --seeds 3
"""
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def run() -> int:
    from auglocal_mm.lab.transfer.cli import EXIT_INTERRUPTED, main
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
