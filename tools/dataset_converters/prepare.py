#!/usr/bin/env python3
"""Get a data set and check it, or check your own copy of ImageNet or COCO.

    tools/dataset_converters/prepare.py cifar10
    tools/dataset_converters/prepare.py imagenet --root /data/imagenet --check

An interrupted download continues. Checksums are compared. Run it again at any time:
it leaves correct files alone.
"""
import sys
from pathlib import Path

if __name__ == '__main__':
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from auglocal_mm.console.tool import tool
    with tool():
        from auglocal_mm.datasets.preparation.command_line import main
        sys.exit(main(description=__doc__))
