"""Local losses of detectors, compared on digit scenes: not a table of the paper."""
from __future__ import annotations

from .table import BOX_AP, MASK_AP, Claim, Row, Table

#: Local losses as ``model.local_loss`` takes them on the command line, and their labels.
LOSSES = {
    'detection': 'detection', 'segmentation': 'segmentation', 'image_level': 'image-level classes',
    'reconstruction': 'reconstruction',
    'detection,reconstruction': 'detection + reconstruction',
    'detection,segmentation': 'detection + segmentation',
}
#: Time relative to BP, for the estimate of the time left.
_COST = {2: 1.2, 4: 1.4}


def scenes() -> Table:
    """Return the table: BP, and every local loss in two and in four modules."""
    rows = [Row('bp', 'BP', 'bp', 'demo/mask-rcnn_digit-scenes_bp.py')]
    rows += [Row(f'k{modules}-{loss.replace(",", "-")}', f'K = {modules}, {label}', 'auglocal',
                 'demo/mask-rcnn_digit-scenes_local.py',
                 (f'model.local.modules={modules}', f'model.local_loss={loss}'),
                 cost=_COST[modules])
             for modules in _COST for loss, label in LOSSES.items()]
    return Table('scenes', 'Mask R-CNN on digit scenes, trained locally', (BOX_AP, MASK_AP),
                 tuple(rows), tuple(Claim('bp', row.name) for row in rows[1:]),
                 note='Not a table of the paper. Every run starts from the same backbone, or from '
                      'fresh weights, as the settings say.')
