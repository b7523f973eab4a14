#!/usr/bin/env python3
"""Check a trained model's weights and write them to a file named after its checksum.

    tools/model_converters/publish_model.py IN OUT

This writes OUT-<first 8 digits of its SHA-256>.pth. The file holds the plain model's weights,
the config and the classes. It holds neither auxiliary networks nor an optimizer.
"""
import argparse
import sys
from pathlib import Path


def main() -> None:
    from auglocal_mm.console.tool import add_debug
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('checkpoint', metavar='IN', help='a file that a training run saved')
    parser.add_argument('out', metavar='OUT', help='path and name without checksum')
    parser.add_argument('--config', help='config of the model, if IN holds none or its '
                        'components must be imported first')
    add_debug(parser)
    args = parser.parse_args()
    from auglocal_mm.checkpoints import publish_model
    print(publish_model(args.checkpoint, args.out, config=args.config))


if __name__ == '__main__':
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from auglocal_mm.console.tool import tool
    with tool():
        main()
