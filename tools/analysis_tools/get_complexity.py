#!/usr/bin/env python3
"""Count a config's multiply-adds and parameters; needs no data set.

    tools/analysis_tools/get_complexity.py configs/auglocal/resnet110_cifar10.py \\
        --cfg-options model.local.depth=3
"""
import argparse
import json
import sys
from contextlib import redirect_stdout
from pathlib import Path

from mmengine.config import DictAction


def main() -> None:
    from auglocal_mm.console.tool import add_debug
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config file')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
                        help='override settings')
    parser.add_argument('--shape', nargs='+', type=int, metavar='PIXELS',
                        help="height [and width] of the image (default: the config's)")
    parser.add_argument('--json', action='store_true', help='print JSON instead of text')
    parser.add_argument('--out', type=Path, metavar='FILE', help='also write the JSON to FILE')
    add_debug(parser)
    args = parser.parse_args()
    from auglocal_mm.lab.measure.complexity import complexity_of_config
    with redirect_stdout(sys.stderr):  # messages of OpenMMLab are not part of the result
        counts = complexity_of_config(args.config, args.cfg_options, args.shape)
    if args.out:
        from auglocal_mm.files import write_json
        write_json(counts.to_dict(), args.out)
    print(json.dumps(counts.to_dict(), indent=2) if args.json else counts)


if __name__ == '__main__':
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from auglocal_mm.console.tool import tool
    with tool():
        main()
