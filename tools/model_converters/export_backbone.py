#!/usr/bin/env python3
"""Write a trained classifier's backbone for any mmpretrain or mmdet config.

    tools/model_converters/export_backbone.py CHECKPOINT OUT

The result loads with
init_cfg=dict(type='Pretrained', checkpoint='OUT', prefix='backbone.').
"""
import argparse
import sys
from pathlib import Path


def main() -> None:
    from auglocal_mm.console.tool import add_debug
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('checkpoint', help='a file that tools/train.py saved')
    parser.add_argument('out', help='file to write')
    parser.add_argument('--config', help='config of the model, if its components must be '
                        'imported first')
    add_debug(parser)
    args = parser.parse_args()
    from auglocal_mm.checkpoints import export_backbone
    entries = export_backbone(args.checkpoint, args.out, config=args.config)
    print(f'{entries} entries of the backbone written to {args.out}')


if __name__ == '__main__':
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from auglocal_mm.console.tool import tool
    with tool():
        main()
