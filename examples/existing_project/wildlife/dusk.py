"""Evening light."""
import random

from mmcv.transforms import BaseTransform
from mmengine.registry import TRANSFORMS


@TRANSFORMS.register_module()
class Dusk(BaseTransform):
    """Darken an image by a random factor; classification and detection may use it."""

    def __init__(self, darkest: float = 0.5) -> None:
        self.darkest = darkest

    def transform(self, results: dict) -> dict:
        """Scale the pixels."""
        factor = random.uniform(self.darkest, 1.0)
        results['img'] = (results['img'] * factor).astype(results['img'].dtype)
        return results
