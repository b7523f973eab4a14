#!/usr/bin/env python3
"""Compare the speed of a config's data loading with that of its training steps.

    tools/analysis_tools/benchmark_loading.py configs/auglocal/resnet32_cifar10.py \\
        --cfg-options default_hooks.device_augment.type=auglocal_mm.DeviceAugmentHook
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
    parser.add_argument('config', help='training config; its data must be there')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
                        help='override settings')
    parser.add_argument('--batches', type=int, default=20, help='batches to time (default: 20)')
    parser.add_argument('--threads', type=int, help="torch's threads (default: torch's choice)")
    parser.add_argument('--json', action='store_true', help='print JSON instead of text')
    add_debug(parser)
    args = parser.parse_args()
    for option, value in (('--batches', args.batches), ('--threads', args.threads)):
        if value is not None and value < 1:
            parser.error(f'{option} must be at least 1, got {value}')
    from auglocal_mm.lab.measure.loading import loading_cost
    if args.threads is not None:
        import torch
        torch.set_num_threads(args.threads)
    with redirect_stdout(sys.stderr):  # messages of OpenMMLab are not part of the result
        cost = loading_cost(args.config, args.cfg_options, batches=args.batches)
    print(json.dumps(cost.to_dict(), indent=2) if args.json else cost)


if __name__ == '__main__':
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from auglocal_mm.console.tool import tool
    with tool():
        main()
