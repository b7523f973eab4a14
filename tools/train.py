#!/usr/bin/env python3
"""Train a classifier or a detector from its config.

    tools/train.py configs/auglocal/resnet34_imagenet.py
"""
import argparse
import os
import sys
from pathlib import Path

from mmengine.config import DictAction


def parse_args() -> argparse.Namespace:
    from auglocal_mm.console.tool import add_debug
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config file')
    parser.add_argument('--work-dir', help='folder for logs and checkpoints '
                        '(default: the config\'s, else work_dirs/<config name>)')
    parser.add_argument('--resume', nargs='?', const='auto', metavar='PATH',
                        help='continue from PATH, or from the latest checkpoint in the work dir')
    parser.add_argument('--amp', action='store_true', help='mixed precision')
    parser.add_argument('--no-validate', action='store_true', help='train without validation')
    parser.add_argument('--auto-scale-lr', action='store_true',
                        help='scale the learning rate from base_batch_size to this batch size')
    parser.add_argument('--image-folder', metavar='PATH',
                        help='read PATH/{train,test}/<class>/*.jpg in place of a data set of '
                        'arrays, such as CIFAR')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
                        help='override settings, e.g. model.local.depth=3')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0,
                        help=argparse.SUPPRESS)
    parser.add_argument('--timeout', metavar='MINUTES',
                        help='how long ranks wait for each other (default: 10)')
    parser.add_argument('--hang-timeout', metavar='SECONDS',
                        help='how long the ranks of dist_train.sh may stand still, none of them '
                        'computing (default: 40; 0: without limit)')
    add_debug(parser)
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def main() -> None:
    args = parse_args()
    from auglocal_mm.engine import launch
    cfg = launch.load_config(args.config, work_dir=args.work_dir, cfg_options=args.cfg_options,
                             launcher=args.launcher)
    launch.set_timeout(cfg, args.timeout)
    launch.set_hang_timeout(args.hang_timeout)
    if args.image_folder:
        launch.use_image_folder(cfg, args.image_folder)
    if args.amp:
        launch.use_mixed_precision(cfg)
    if args.auto_scale_lr:
        launch.scale_learning_rate(cfg)
    if args.no_validate:
        launch.drop_validation(cfg)
    if args.resume:
        launch.resume_from(cfg, args.resume)
    splits = ('train',) if cfg.get('val_dataloader') is None else ('train', 'val')
    launch.build_runner(cfg, splits=splits).train()


if __name__ == '__main__':
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from auglocal_mm.console.tool import tool
    with tool():
        main()
