"""Measures a trained classifier: top-1 at every depth, and the memory of a training step.

``python -m auglocal_mm.lab.demo.measure CONFIG CHECKPOINT --out FILE``: one process for what
:mod:`auglocal_mm.lab.depth.local_accuracy` and :mod:`auglocal_mm.lab.measure.memory` measure,
because starting one takes longer than measuring.
"""
import argparse
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    from mmengine.config import Config

    from auglocal_mm.files import write_json
    from auglocal_mm.lab.depth.local_accuracy import accuracy_rows, measure_checkpoint
    from auglocal_mm.lab.measure.memory import training_memory_mb
    from auglocal_mm.lab.pages.text_table import plain_table

    parser = argparse.ArgumentParser(description='Top-1 by depth and saved activations')
    parser.add_argument('config', help='classification config on LocalImageClassifier')
    parser.add_argument('checkpoint', help='checkpoint that was trained with it')
    parser.add_argument('--out', type=Path, required=True, help='JSON file to write')
    options = parser.parse_args(arguments)
    config = Config.fromfile(options.config)
    measured = {
        **measure_checkpoint(config, options.checkpoint),
        'saved_activations_mb': training_memory_mb(config),
        'batch_size': config.train_dataloader.batch_size,
    }
    print(plain_table([*accuracy_rows(measured['accuracy']),
                       ('memory', f'{measured["saved_activations_mb"]:.2f} MiB')], right=(1,)))
    write_json(measured, options.out)


if __name__ == '__main__':
    main()
