#!/usr/bin/env python3
"""Try every family of mmdet's detectors: build it, train two steps, predict.

    tools/analysis_tools/detector_families.py --family "Mask R-CNN" DINO

Each family's base config is shrunk for a CPU and run on drawn images, in a process of its
own. Nothing is downloaded. The table says which of mmcv's operators were called, and why a
family fails. To compare operators, keep the JSON of one run and give it to the other:

    PYTHON-WITH-COMPILED-OPERATORS tools/analysis_tools/detector_families.py --out compiled.json
    PYTHON-WITHOUT tools/analysis_tools/detector_families.py --compare compiled.json

With --local, each backbone is trained by local losses, and the table says which families
train and why others do not.
"""
import argparse
import json
import sys
from pathlib import Path


def main() -> None:
    from auglocal_mm.console.tool import add_debug
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--family', nargs='+', default=[], metavar='NAME',
                        help='families to try, as the table calls them (default: all)')
    parser.add_argument('--local', action='store_true',
                        help='train each backbone by AugLocal, a module for each stage')
    parser.add_argument('--jobs', type=int, default=1, metavar='N',
                        help='processes at a time (default: 1)')
    parser.add_argument('--limit', type=float, default=300.0, metavar='SECONDS',
                        help='end a family after this time (default: 300)')
    parser.add_argument('--compare', type=Path, metavar='FILE',
                        help='JSON of another run; the table then has the largest relative '
                             'difference of losses and gradients')
    parser.add_argument('--json', action='store_true', help='print JSON instead of a table')
    parser.add_argument('--out', type=Path, metavar='FILE',
                        help='also write the JSON to FILE, after each family')
    parser.add_argument('--continue', dest='go_on', action='store_true',
                        help='keep the families that the FILE of --out already holds')
    add_debug(parser)
    args = parser.parse_args()
    if args.local and args.compare:
        parser.error('--compare is of plain trainings; leave out --local')
    if args.go_on and not args.out:
        parser.error('--continue needs --out FILE')
    from auglocal_mm.files import read_json, write_json
    from auglocal_mm.lab.measure.families import FAMILIES, choose, line, markdown, survey
    compared = read_json(args.compare) if args.compare else None
    known = read_json(args.out) if args.go_on and args.out.is_file() else None
    found = {}
    for row, found in survey(choose(FAMILIES, args.family), jobs=args.jobs, limit=args.limit,
                             training='local' if args.local else 'plain', known=known):
        print(line(row), file=sys.stderr, flush=True)
        if args.out:
            write_json(found, args.out)
    print(json.dumps(found, indent=2) if args.json else markdown(found, compared))


if __name__ == '__main__':
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from auglocal_mm.console.tool import tool
    with tool():
        main()
