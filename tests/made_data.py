"""Data sets in the published layouts, a few noisy images each."""
import json
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).resolve().parent


def make_imagenet(folder):
    """A thousand class folders as ImageNet has, pictures in the first two."""
    random = np.random.default_rng(0)
    for split, images in (('train', 4), ('val', 2)):
        for number in range(1000):
            place = folder / 'data' / 'imagenet' / split / f'n{number:08d}'
            place.mkdir(parents=True)
            for index in range(images if number < 2 else 0):
                pixels = random.integers(0, 256, (260, 300, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(place / f'{index}.JPEG')


def make_coco(folder):
    """Three images with one box each, in COCO's folders and with its 80 categories."""
    random = np.random.default_rng(0)
    coco = folder / 'data' / 'coco'
    (coco / 'annotations').mkdir(parents=True)
    names = json.loads((HERE / 'coco_categories.json').read_text())
    for split, count in (('train2017', 2), ('val2017', 1)):
        (coco / split).mkdir()
        images, annotations = [], []
        for index in range(1, count + 1):
            pixels = random.integers(0, 256, (120, 160, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(coco / split / f'{index:012d}.jpg')
            images.append({'id': index, 'file_name': f'{index:012d}.jpg', 'width': 160,
                           'height': 120})
            annotations.append({
                'id': index, 'image_id': index, 'category_id': 1, 'iscrowd': 0, 'area': 2400.0,
                'bbox': [20, 30, 60, 40], 'segmentation': [[20, 30, 80, 30, 80, 70, 20, 70]]})
        (coco / 'annotations' / f'instances_{split}.json').write_text(json.dumps({
            'images': images, 'annotations': annotations,
            'categories': [{'id': index + 1, 'name': name} for index, name in enumerate(names)]}))
