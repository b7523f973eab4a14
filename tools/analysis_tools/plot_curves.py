#!/usr/bin/env python3
"""Draw the learning curves of several runs in one picture: training loss, accuracy or AP.

    tools/analysis_tools/plot_curves.py work_dirs/bp work_dirs/auglocal --labels BP AugLocal
    tools/analysis_tools/plot_curves.py BP=work_dirs/bp_1,work_dirs/bp_2 \\
        "AugLocal d = 2=work_dirs/d2_1,work_dirs/d2_2"

Several runs of one entry become one line, their mean, with a band from the lowest to the highest.
"""
import argparse
import sys
from pathlib import Path


def main() -> None:
    from auglocal_mm.console.tool import add_debug
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('runs', nargs='+', metavar='RUN',
                        help='work dir of a run, or NAME=RUN,RUN for seeds of one setting')
    parser.add_argument('--labels', nargs='+', metavar='NAME',
                        help="a label per entry; one that begins with a rule's name gets "
                        'its colour')
    parser.add_argument('--metric', help='validation metric, e.g. accuracy/top5 '
                        '(default: top-1 accuracy or box AP)')
    parser.add_argument('--out', default='.', metavar='DIR',
                        help='folder for curves.png and curves.svg (default: .)')
    add_debug(parser)
    args = parser.parse_args()
    from auglocal_mm.lab.curves.run_curves import parse_runs, read_runs, run_curves_chart
    curves = read_runs(parse_runs(args.runs, args.labels))
    chart = run_curves_chart(curves, metric=args.metric)
    paths = chart.save(Path(args.out))
    print(chart.alt)
    print('written:', *paths)


if __name__ == '__main__':
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from auglocal_mm.console.tool import tool
    with tool():
        main()
