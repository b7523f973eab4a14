#!/usr/bin/env python3
"""Evaluate a checkpoint of a classifier or a detector.

    tools/test.py configs/auglocal/resnet34_imagenet.py \\
        work_dirs/resnet34_imagenet_auglocal/epoch_200.pth
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
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--work-dir', help='folder for the log')
    parser.add_argument('--out', metavar='FILE.pkl', help='save the predictions')
    parser.add_argument('--show-dir', metavar='DIR', help='save pictures of the predictions')
    parser.add_argument('--tta', action='store_true',
                        help="average over augmented images: the config's own, or flips")
    parser.add_argument('--image-folder', metavar='PATH',
                        help='read PATH/{train,test}/<class>/*.jpg in place of a data set of '
                        'arrays, such as CIFAR')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
                        help='override settings')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0,
                        help=argparse.SUPPRESS)
    parser.add_argument('--timeout', metavar='MINUTES',
                        help='how long ranks wait for each other (default: 10)')
    parser.add_argument('--hang-timeout', metavar='SECONDS',
                        help='how long the ranks of dist_test.sh may stand still, none of them '
                        'computing (default: 40; 0: without limit)')
    add_debug(parser)
    args = parser.parse_args()
    if args.out and not args.out.endswith(('.pkl', '.pickle')):
        parser.error(f'--out must end with .pkl or .pickle, got {args.out}')
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
    if args.tta:
        launch.use_test_time_augmentation(cfg)
    if args.show_dir:
        _show(cfg, args.show_dir)
    runner = launch.load_for_test(cfg, args.checkpoint)
    if args.out:
        runner.test_evaluator.metrics.append(_dump(cfg)(out_file_path=args.out))
    runner.test()


def _show(cfg, show_dir: str) -> None:
    hooks = cfg.setdefault('default_hooks', {})
    hooks['visualization'] = {**(hooks.get('visualization') or {}), **_visualization(cfg, show_dir)}
    detects = cfg.get('default_scope') == 'mmdet'
    if cfg.get('visualizer') is None:
        cfg.visualizer = {'type': 'DetLocalVisualizer' if detects else 'UniversalVisualizer',
                          'name': 'visualizer', 'vis_backends': [{'type': 'LocalVisBackend'}]}


def _visualization(cfg, show_dir: str) -> dict:
    if cfg.get('default_scope') == 'mmdet':
        return {'type': 'DetVisualizationHook', 'draw': True, 'test_out_dir': show_dir}
    return {'type': 'VisualizationHook', 'enable': True, 'out_dir': show_dir}


def _dump(cfg) -> type:
    if cfg.get('default_scope') == 'mmdet':
        from mmdet.evaluation import DumpDetResults
        return DumpDetResults
    from mmengine.evaluator import DumpResults
    return DumpResults


if __name__ == '__main__':
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from auglocal_mm.console.tool import tool
    with tool():
        main()
