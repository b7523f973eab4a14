#!/usr/bin/env python3
"""Time training on several ranks of this machine: local learning and BP, in turns.

    tools/analysis_tools/benchmark_parallel.py configs/auglocal/resnet110_cifar10.py \\
        configs/bp/resnet110_cifar10.py --cfg-options model.local.depth=2 --batch-size 64

Each strategy has processes of its own, with one thread each, and all take turns. The data is
synthetic. Images per step are equal: data parallelism shares them out between its ranks.
"""
import argparse
import sys
from contextlib import redirect_stdout
from pathlib import Path

from mmengine.config import DictAction


def main() -> None:
    from auglocal_mm.console.tool import add_debug
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('local', help='config of a classifier that is trained locally')
    parser.add_argument('bp', help='config of the same network trained by BP')
    parser.add_argument('--batch-size', type=int, default=64, help='images per step (64)')
    parser.add_argument('--ranks', type=int, default=2, help='number of ranks (2)')
    parser.add_argument('--steps', type=int, default=5, help='steps of a turn (5)')
    parser.add_argument('--rounds', type=int, default=5, help='turns of each strategy (5)')
    parser.add_argument('--only', metavar='NAME;…', help='only these strategies')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
                        default={}, help='override settings of the local config')
    parser.add_argument('--simulate', action='store_true',
                        help='time the modules one by one as well, and show what a simulation '
                             'with these times says, and by how much it misses')
    parser.add_argument('--out', type=Path, metavar='DIR',
                        help='write measured.json, and what the ranks of the local pipeline did '
                             'as trace.png and .svg')
    add_debug(parser)
    args = parser.parse_args()
    from auglocal_mm.files import write_json
    from auglocal_mm.lab.measure.benchmark.run import make_folder
    from auglocal_mm.lab.parallel.names import names_of
    from auglocal_mm.lab.parallel.pictures import trace_chart
    from auglocal_mm.lab.parallel.throughput import Job, measure
    from auglocal_mm.plan import timeline_text
    names = names_of([name.strip() for name in args.only.split(';')] if args.only else None)
    job = Job(local=args.local, bp=args.bp, size=args.batch_size, ranks=args.ranks,
              steps=args.steps, rounds=args.rounds, options=args.cfg_options,
              simulate=args.simulate)
    if args.out:
        make_folder(args.out)
    with redirect_stdout(sys.stderr):  # messages of OpenMMLab are not part of the result
        found = measure(job, names)
    print(found.table())
    if args.out:
        write_json(found.measurement.to_dict(), args.out / 'measured.json')
    if found.trace:
        print('\nThe local pipeline, rank × time (digits: step; dots: waiting):')
        print(timeline_text(found.trace))
    if found.trace and args.out:
        trace_chart(found.trace).save(args.out)


if __name__ == '__main__':
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from auglocal_mm.console.tool import tool
    with tool():
        main()
