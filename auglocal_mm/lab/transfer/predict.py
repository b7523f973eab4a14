"""Keeps what a trained detector finds in the validation set.

``python -m auglocal_mm.lab.transfer.predict CONFIG CHECKPOINT --out FOLDER``: the validation
set, also where a config tests on another one, whose annotations may be secret.
"""
from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    from mmengine.config import DictAction
    from mmengine.dist import is_main_process

    from auglocal_mm.console.host_chatter import import_hosts
    from auglocal_mm.engine import launch

    from .validation_set import coco_metric

    parser = argparse.ArgumentParser(description='Keep what a detector finds')
    parser.add_argument('config')
    parser.add_argument('checkpoint')
    parser.add_argument('--out', type=Path, required=True, help='folder of the predictions')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    parser.add_argument('--launcher', choices=['none', 'pytorch'], default='none')
    options = parser.parse_args(arguments)
    os.environ.setdefault('LOCAL_RANK', '0')
    import_hosts('mmdet.datasets', 'mmdet.models')
    cfg = launch.load_config(options.config, work_dir=str(options.out / 'predict'),
                             cfg_options=options.cfg_options, launcher=options.launcher)
    launch.set_timeout(cfg, None)
    unfinished = options.out / 'unfinished'
    _, metric = coco_metric(cfg)
    cfg.test_dataloader, cfg.test_cfg = cfg.val_dataloader, cfg.get('test_cfg') or {}
    cfg.test_evaluator = {**metric, 'format_only': True,
                          'outfile_prefix': str(unfinished / 'predictions')}
    launch.load_for_test(cfg, options.checkpoint).test()
    if is_main_process():
        # mmdet writes its files in place, so they get their names only now.
        for file in sorted(unfinished.glob('predictions.*.json')):
            os.replace(file, options.out / file.name)
        shutil.rmtree(unfinished, ignore_errors=True)


if __name__ == '__main__':
    from auglocal_mm.console.tool import tool
    with tool():
        main()
