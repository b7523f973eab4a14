#!/usr/bin/env python3
"""Compare every unit of two trained networks by linear CKA, as a heat map.

    tools/analysis_tools/representation_similarity.py \\
        configs/auglocal/resnet32_cifar10.py work_dirs/resnet32_cifar10_auglocal/epoch_400.pth \\
        configs/bp/resnet32_cifar10.py work_dirs/resnet32_cifar10_bp/epoch_400.pth

Both networks see the same test images, those of the first config.
"""
import argparse
import sys
from pathlib import Path

from mmengine.config import DictAction


def parse_args() -> argparse.Namespace:
    from auglocal_mm.console.tool import add_debug
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config file of the first network, the rows')
    parser.add_argument('checkpoint', help='its checkpoint')
    parser.add_argument('other_config', help='config file of the second network, the columns')
    parser.add_argument('other_checkpoint', help='its checkpoint')
    parser.add_argument('--images', type=int, metavar='N', default=1000,
                        help='compare on at most N test images (default: %(default)s)')
    parser.add_argument('--names', nargs=2, metavar='NAME',
                        help="names of the networks (default: the configs' names)")
    parser.add_argument('--out', default='.', metavar='DIR', help='folder for similarity.png, '
                        'similarity.svg and similarity.json (default: .)')
    parser.add_argument('--image-folder', metavar='PATH',
                        help='read PATH/test/<class>/*.jpg, as tools/train.py did')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
                        help='override settings of the first config, including its data')
    parser.add_argument('--other-cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
                        help='override settings of the second config')
    add_debug(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    from auglocal_mm.engine.launch import load_config, use_image_folder
    from auglocal_mm.files import write_json
    from auglocal_mm.lab.depth.similarity_chart import similarity_chart
    from auglocal_mm.lab.depth.similarity_study import compare_networks
    first = load_config(args.config, cfg_options=args.cfg_options)
    second = load_config(args.other_config, cfg_options=args.other_cfg_options)
    if args.image_folder:
        use_image_folder(first, args.image_folder)
    similarity = compare_networks((first, args.checkpoint), (second, args.other_checkpoint),
                                  limit=args.images)
    names = args.names or (Path(args.config).stem, Path(args.other_config).stem)
    chart = similarity_chart(similarity, rows=names[0], columns=names[1])
    paths = chart.save(Path(args.out))
    write_json(similarity.to_dict(), Path(args.out) / 'similarity.json')
    print(chart.alt)
    print('written:', *paths, Path(args.out) / 'similarity.json')


if __name__ == '__main__':
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from auglocal_mm.console.tool import tool
    with tool():
        main()
