#!/usr/bin/env python3
"""Measure memory and time of training steps; needs no data set.

    tools/analysis_tools/benchmark_training.py --preset table2 --batch-size 16 --out DIR
    tools/analysis_tools/benchmark_training.py configs/bp/resnet34_imagenet.py \\
        configs/auglocal/resnet34_imagenet.py --batch-size 8
    tools/analysis_tools/benchmark_training.py --preset mask-rcnn --batch-size 1 --apart --out DIR
    tools/analysis_tools/benchmark_training.py --preset table2 --count 16 1024 --out DIR

Each config runs in a process of its own. The processes take turns, one step each, so that
other load on the machine affects all alike. The exit status is 1 if a config failed.
With --count, memory alone is counted, at batches of any size, on any machine.
"""
import argparse
import shlex
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from mmengine.config import DictAction


def parse_arguments() -> argparse.Namespace:
    from auglocal_mm.console.tool import add_debug
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('configs', nargs='*', metavar='CONFIG',
                        help='configs of classifiers or detectors')
    parser.add_argument('--preset',
                        choices=['table2', 'faster', 'cuts-r34', 'cuts-r101', 'cuts-swin',
                                 'cuts-vit', 'mask-rcnn', 'mask-rcnn-r34'],
                        help='instead of configs: the rows of the paper\'s Table 2; what makes a '
                             'step faster; ResNet-34 or -101, Swin-T or DeiT-S cut into few '
                             'modules; or Mask R-CNN R-50 or R-34 FPN by BP and trained locally')
    parser.add_argument('--only', metavar='NAME,…', help='only these rows of the preset')
    parser.add_argument('--batch-size', type=int, help="images per step (each config's own)")
    parser.add_argument('--shape', '--input-size', nargs='+', type=int, metavar='PIXELS',
                        help="height [and width] of the images (each config's own)")
    parser.add_argument('--rounds', type=int, default=20, help='timed steps of each config (20)')
    parser.add_argument('--warmup', type=int, default=3, help='untimed steps before them (3)')
    parser.add_argument('--device', help='cpu, cuda or cuda:<index> (cuda if available)')
    parser.add_argument('--amp', action='store_true', help='mixed precision, as in tools/train.py')
    parser.add_argument('--threads', type=int, help="threads on the CPU (PyTorch's number)")
    parser.add_argument('--apart', action='store_true',
                        help='run one config after another, if memory cannot hold all at once')
    parser.add_argument('--count', nargs='+', type=int, metavar='IMAGES',
                        help='count the memory of steps of this many images instead of timing '
                             'steps; takes classifiers, and no more memory for large batches')
    parser.add_argument('--depths', nargs='+', type=int, metavar='LAYERS',
                        help='with --count: at each of these depths of the backbone')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
                        default={}, help='override settings of every config')
    parser.add_argument('--json', action='store_true', help='print JSON instead of a table')
    parser.add_argument('--out', type=Path, metavar='DIR',
                        help='write tables as Markdown and JSON, and pictures')
    add_debug(parser)
    args = parser.parse_args()
    if bool(args.configs) == bool(args.preset):
        parser.error('give either configs or --preset')
    if args.only is not None and not args.preset:
        parser.error('--only chooses rows of --preset; to measure fewer configs, list fewer')
    if args.depths and not args.count:
        parser.error('--depths are counted: give batch sizes by --count')
    return args


def main() -> None:
    args = parse_arguments()
    from auglocal_mm.lab.measure import benchmark as bench

    settings = bench.Settings(
        batch_size=args.batch_size, shape=args.shape, amp=args.amp, threads=args.threads,
        device=args.device or bench.default_device(), rounds=args.rounds, warmup=args.warmup,
        apart=args.apart, options=args.cfg_options)
    only = None if args.only is None else [name for name in args.only.split(',') if name]
    entries = (bench.preset_entries(args.preset, only) if args.preset
               else bench.config_entries(args.configs))
    if args.out:
        bench.make_folder(args.out)
    command = shlex.join(['tools/analysis_tools/benchmark_training.py', *sys.argv[1:]])
    if args.count:
        count(entries, settings, args, command)
        return
    with redirect_stdout(sys.stderr):  # messages of OpenMMLab are not part of the result
        rows = bench.benchmark(entries, settings, say)
    written = dict(command=command, on_cpu=settings.on_cpu)
    print(bench.to_json(rows) if args.json else bench.markdown(rows, **written))
    if args.out:
        bench.write_benchmark(rows, args.out, **written)
    sys.exit(any(row.error for row in rows))


def count(entries: Any, settings: Any, args: argparse.Namespace, command: str) -> None:
    """Count the memory of all entries."""
    from auglocal_mm.lab.measure import benchmark as bench

    with redirect_stdout(sys.stderr):
        rows = bench.count_memory(entries, settings, args.count, say, depths=args.depths or ())
    print(bench.counted_json(rows) if args.json else bench.memory_markdown(rows, command=command))
    if args.out:
        bench.write_counts(rows, args.out, command=command)


def say(line: str) -> None:
    """Tell how far the benchmark is."""
    print(line, flush=True)


if __name__ == '__main__':
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from auglocal_mm.console.tool import tool
    with tool():
        main()
