"""Measures the saved activations of a training step of detectors.

``python -m auglocal_mm.lab.demo.measure_detectors CONFIG… --out FILE``: one process for all,
because starting one takes longer than measuring.
"""
import argparse
from collections.abc import Sequence
from pathlib import Path


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    from mmengine.config import Config
    from mmengine.runner import set_random_seed

    from auglocal_mm.files import write_json
    from auglocal_mm.lab.measure.memory import training_memory_mb
    from auglocal_mm.lab.pages.text_table import plain_table

    parser = argparse.ArgumentParser(description='Saved activations of detectors')
    parser.add_argument('configs', nargs='+', type=Path, metavar='CONFIG',
                        help='detection config; a training leaves one in its work directory')
    parser.add_argument('--out', type=Path, required=True, help='JSON file to write')
    options = parser.parse_args(arguments)
    measured = {}
    for path in options.configs:
        config = Config.fromfile(path)
        # Which regions a detector samples by chance changes what it keeps.
        set_random_seed(0)
        measured[path.stem] = {
            'saved_activations_mb': training_memory_mb(config),
            'batch_size': config.train_dataloader.batch_size,
        }
    print(plain_table([(name, f'{each["saved_activations_mb"]:.2f} MiB')
                       for name, each in measured.items()], right=(1,)))
    write_json(measured, options.out)


if __name__ == '__main__':
    main()
