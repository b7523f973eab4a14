"""Makes the digit scenes that a detection config reads.

``python -m auglocal_mm.lab.demo.data CONFIG`` does nothing where they are complete.
"""
import argparse
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    from mmengine.config import Config

    from auglocal_mm.datasets.digit_scenes import ensure_digit_scenes

    parser = argparse.ArgumentParser(description='Make the digit scenes of a detection config')
    parser.add_argument('config', help='detection config on auglocal_mm.DigitScenes')
    dataset = Config.fromfile(parser.parse_args(arguments).config).train_dataloader.dataset
    print(ensure_digit_scenes(dataset.data_root, **(dataset.get('scenes') or {})))


if __name__ == '__main__':
    main()
