"""What mmcv's operators carry: every family of mmdet's detectors, built, trained and tried."""
from .catalogue import FAMILIES
from .family import Family, choose
from .survey import survey
from .table import line, markdown

__all__ = ['FAMILIES', 'Family', 'choose', 'line', 'markdown', 'survey']
