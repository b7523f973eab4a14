"""Object detection and instance segmentation: the detector's own loss, and local ones."""
from .batch import DetectionBatch
from .dense_detection import DenseDetection
from .dense_segmentation import DenseSegmentation
from .image_level import ImageLevelClasses
from .local_loss import DenseLoss, DetectionLoss, build_local_losses, plan_local_losses
from .map_reconstruction import MapReconstruction
from .task import DetectionTask

__all__ = ['DenseDetection', 'DenseLoss', 'DenseSegmentation', 'DetectionBatch', 'DetectionLoss',
           'DetectionTask', 'ImageLevelClasses', 'MapReconstruction', 'build_local_losses',
           'plan_local_losses']
