#!/usr/bin/env python3
"""Simulate training on several workers: what is fastest where, by local learning or BP.

    tools/analysis_tools/plan_parallel.py configs/auglocal/resnet110_cifar10.py --ranks 4
    tools/analysis_tools/plan_parallel.py configs/auglocal/resnet32_cifar10.py --measure \\
        --threads 1 --ranks 2 --bandwidth 2 --latency 50 --out DIR

Every strategy takes the same steps: one update for each batch of the config's size. Costs are
counted, or measured by --measure, or read from the costs.json of an earlier run.
"""
import argparse
import json
import sys
from contextlib import redirect_stdout
from pathlib import Path

from mmengine.config import DictAction


def parse_arguments() -> argparse.Namespace:
    from auglocal_mm.console.tool import add_debug
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config of a model that is trained locally')
    parser.add_argument('--ranks', type=int, metavar='N',
                        help='workers of the plan that is shown in detail (default: 4, or as many '
                             'as there are modules)')
    parser.add_argument('--stages', type=int, metavar='S',
                        help='its stages; N / S workers hold each (default: N, or the fastest '
                             'split if there are fewer modules)')
    parser.add_argument('--workers', nargs='+', type=int, metavar='N',
                        help='rows of the tables (default: 1, 2, 4 … 1024, and --ranks)')
    parser.add_argument('--bandwidth', type=float, default=10.0, metavar='GB/S',
                        help='between two workers (default: %(default)s)')
    parser.add_argument('--latency', type=float, default=20.0, metavar='MICROSECONDS',
                        help='of a message (default: %(default)s)')
    parser.add_argument('--rendezvous', action='store_true',
                        help='a message starts only when its receiver waits for it')
    parser.add_argument('--queue', type=int, default=2, metavar='N',
                        help='carries between two stages at most (default: %(default)s)')
    parser.add_argument('--micro-batches', type=int, metavar='N',
                        help='in pipelines of BP (default: 4 for each stage)')
    parser.add_argument('--memory-limit', type=float, metavar='GIB',
                        help='memory of a worker; strategies that need more are left out')
    parser.add_argument('--flops-per-second', type=float, metavar='N',
                        help='multiply-adds per second of a worker, to turn counts into seconds '
                             '(default: 1e12)')
    source = parser.add_mutually_exclusive_group()
    source.add_argument('--measure', action='store_true',
                        help='time the modules on this machine instead of counting')
    source.add_argument('--costs', type=Path, metavar='FILE',
                        help='read costs.json of an earlier --out instead of counting')
    parser.add_argument('--measured', type=Path, metavar='FILE',
                        help='measured.json of benchmark_parallel.py --out, for the same options '
                             'of the model: also tell by how much the simulation misses it')
    parser.add_argument('--batch-size', type=int, help="images per step (the config's own)")
    parser.add_argument('--shape', nargs='+', type=int, metavar='PIXELS',
                        help="height [and width] of the images (the config's own)")
    parser.add_argument('--device', default='cpu', help='for --measure: cpu, cuda or cuda:<index>')
    parser.add_argument('--threads', type=int, help="for --measure: threads (PyTorch's number)")
    parser.add_argument('--rounds', type=int, default=10, help='for --measure: timed steps (10)')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
                        default={}, help='override settings of the config')
    parser.add_argument('--json', action='store_true', help='print JSON instead of text')
    parser.add_argument('--out', type=Path, metavar='DIR',
                        help='write plan.txt, plan.json, costs.json, and speed and schedule as '
                             '.png and .svg')
    add_debug(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_arguments()
    from auglocal_mm.lab.measure.benchmark.run import make_folder
    from auglocal_mm.lab.parallel.request import Request
    from auglocal_mm.lab.parallel.write import write_plan
    request = Request.of(args)
    if args.out:
        make_folder(args.out)
    with redirect_stdout(sys.stderr):  # messages of OpenMMLab are not part of the result
        report = request.report(request.costs())
    print(json.dumps(report.to_dict(), indent=2) if args.json else report)
    if args.out:
        write_plan(report, args.out)


if __name__ == '__main__':
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from auglocal_mm.console.tool import tool
    with tool():
        main()
