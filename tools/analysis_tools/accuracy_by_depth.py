#!/usr/bin/env python3
"""Measure the accuracy of auxiliary networks and linear probes by depth, over training.

    tools/analysis_tools/accuracy_by_depth.py configs/auglocal/resnet32_cifar10.py \\
        work_dirs/resnet32_cifar10_auglocal/epoch_*.pth --probes

A network trained by back-propagation has no auxiliary networks; use --probes.
"""
import argparse
import sys
from pathlib import Path

from mmengine.config import DictAction


def parse_args() -> argparse.Namespace:
    from auglocal_mm.console.tool import add_debug
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config file of a classifier')
    parser.add_argument('checkpoints', nargs='+', metavar='CHECKPOINT',
                        help='checkpoint files trained with it; one line each, sorted by epoch')
    parser.add_argument('--probes', action='store_true',
                        help='fit a linear probe to the pooled features of every unit')
    parser.add_argument('--probe-images', type=int, metavar='N', default=10000,
                        help='fit probes to at most N training images (default: %(default)s)')
    parser.add_argument('--name', help="name of the network (default: the config's); a name that "
                        "begins with a rule's name gets its colour")
    parser.add_argument('--out', default='.', metavar='DIR',
                        help='folder for depth.png, depth.svg and depth.json (default: .)')
    parser.add_argument('--image-folder', metavar='PATH',
                        help='read PATH/{train,test}/<class>/*.jpg, as tools/train.py did')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
                        help='override settings, as in training')
    add_debug(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    from auglocal_mm.engine.launch import load_config, use_image_folder
    from auglocal_mm.files import write_json
    from auglocal_mm.lab.depth.depth_accuracy import by_epoch, study_depth
    from auglocal_mm.lab.depth.depth_chart import depth_chart
    cfg = load_config(args.config, cfg_options=args.cfg_options)
    if args.image_folder:
        use_image_folder(cfg, args.image_folder)
    study = study_depth(
        cfg, by_epoch(args.checkpoints), name=args.name or Path(args.config).stem,
        probes=args.probes, limit=args.probe_images)
    paths = depth_chart(study).save(Path(args.out))
    write_json(study.to_dict(), Path(args.out) / 'depth.json')
    print('written:', *paths, Path(args.out) / 'depth.json')


if __name__ == '__main__':
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from auglocal_mm.console.tool import tool
    with tool():
        main()
