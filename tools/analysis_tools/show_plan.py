#!/usr/bin/env python3
"""Print a config's local plan: units, modules, auxiliary networks and what they cost.

What a detector's heads cost in inference depends on the image, so it is not counted.

    tools/analysis_tools/show_plan.py configs/auglocal/resnet110_cifar10.py \\
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
    parser.add_argument('--json', action='store_true', help='print JSON instead of a table')
    add_debug(parser)
    args = parser.parse_args()
    from auglocal_mm.lab.measure.counted_plan import counted_plan_of_config
    with redirect_stdout(sys.stderr):  # messages of OpenMMLab are not part of the result
        plan = counted_plan_of_config(args.config, args.cfg_options, args.shape)
    print(json.dumps(plan.to_dict(), indent=2) if args.json else plan)


if __name__ == '__main__':
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from auglocal_mm.console.tool import tool
    with tool():
        main()
