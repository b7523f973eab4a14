"""Draw the project's data into data/: photographs with one animal, scenes with up to three.

    python tools/make_data.py

24 + 9 photographs of 64x64 with tables of species, 4 + 2 scenes of 128x128 with boxes and masks
in COCO's format. Animals are plain shapes: a deer is an ellipse, a fox a triangle, an owl a
diamond.
"""
import csv
import json
import random
from pathlib import Path

from PIL import Image, ImageDraw

SPECIES = ('deer', 'fox', 'owl')
COLOURS = {'deer': (150, 100, 60), 'fox': (220, 110, 30), 'owl': (120, 120, 130)}
PHOTOS = {'train': 24, 'val': 9}
SCENES = {'train': 4, 'val': 2}


def outline(species: str, x: int, y: int, size: int) -> list[tuple[int, int]]:
    """Return the corners of an animal in the square of `size` pixels at (x, y)."""
    half, quarter = size // 2, size // 4
    return {
        'deer': [(x, y + half), (x + quarter, y + quarter), (x + 3 * quarter, y + quarter),
                 (x + size, y + half), (x + 3 * quarter, y + 3 * quarter),
                 (x + quarter, y + 3 * quarter)],
        'fox': [(x + half, y), (x + size, y + size), (x, y + size)],
        'owl': [(x + half, y), (x + size, y + half), (x + half, y + size), (x, y + half)],
    }[species]


def background(side: int) -> Image.Image:
    """Draw grass: green of random brightness in squares of 4 pixels."""
    grass = Image.new('RGB', (side // 4, side // 4))
    grass.putdata([(40, random.randint(90, 150), 50) for _ in range((side // 4) ** 2)])
    return grass.resize((side, side))


def make_photos(root: Path) -> None:
    """Write the photographs and their tables."""
    for split, count in PHOTOS.items():
        (root / split).mkdir(parents=True, exist_ok=True)
        rows = []
        for number in range(count):
            species, size = SPECIES[number % 3], random.randint(32, 48)
            image = background(64)
            place = random.randint(0, 64 - size), random.randint(0, 64 - size)
            ImageDraw.Draw(image).polygon(outline(species, *place, size), COLOURS[species])
            rows.append({'file': f'{split}/{number:03d}.png', 'species': species})
            image.save(root / rows[-1]['file'])
        with open(root / f'{split}.csv', 'w', newline='', encoding='utf-8') as table:
            writer = csv.DictWriter(table, ['file', 'species'])
            writer.writeheader()
            writer.writerows(rows)


def annotation(corners: list[tuple[int, int]], *, species: str, image: int, number: int) -> dict:
    """Return the annotation of one animal in COCO's format."""
    xs, ys = zip(*corners, strict=True)
    width, height = max(xs) - min(xs), max(ys) - min(ys)
    return {'id': number, 'image_id': image, 'category_id': SPECIES.index(species) + 1,
            'bbox': [min(xs), min(ys), width, height], 'area': width * height / 2, 'iscrowd': 0,
            'segmentation': [[value for corner in corners for value in corner]]}


def make_scenes(root: Path) -> None:
    """Write scenes and annotations, with one animal per column so that none hides another."""
    for split, count in SCENES.items():
        (root / split).mkdir(parents=True, exist_ok=True)
        images, annotations = [], []
        for number in range(1, count + 1):
            image = background(128)
            for column in range(random.randint(1, 3)):
                species = random.choice(SPECIES)
                corners = outline(species, 42 * column, random.randint(0, 86), 40)
                ImageDraw.Draw(image).polygon(corners, COLOURS[species])
                annotations.append(annotation(corners, species=species, image=number,
                                              number=len(annotations) + 1))
            images.append({'id': number, 'file_name': f'{number:03d}.png', 'width': 128,
                           'height': 128})
            image.save(root / split / f'{number:03d}.png')
        (root / f'{split}.json').write_text(json.dumps({
            'images': images, 'annotations': annotations,
            'categories': [{'id': i + 1, 'name': name} for i, name in enumerate(SPECIES)]}))


if __name__ == '__main__':
    random.seed(0)
    make_photos(Path('data/photos'))
    make_scenes(Path('data/scenes'))
