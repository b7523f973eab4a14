"""The tables of the paper (ICLR 2024) and its appendix, with the figures they print."""
from __future__ import annotations

from dataclasses import replace
from itertools import product

from .scenes_table import scenes
from .table import (
    BOX_AP,
    FLOPS,
    MASK_AP,
    MEMORY,
    OVERHEAD,
    TOP1,
    Claim,
    Published,
    Row,
    Table,
)

_NAMES = {'bp': 'BP', 'auglocal': 'AugLocal', 'dgl': 'DGL', 'predsim': 'PredSim',
          'infopro': 'InfoPro'}
#: Wall-clock time relative to BP (Table 2, which ends at d = 6; the rest follows its trend).
_COST = {'bp': 1.0, 'predsim': 1.66, 'dgl': 1.76, 'infopro': 3.92}
_AUGLOCAL_COST = {2: 1.87, 3: 2.16, 4: 2.36, 5: 2.81, 6: 3.15, 7: 3.5, 8: 3.8, 9: 4.1}
#: AugLocal on CIFAR-10 with ResNet-110 by depth: Tables 2, 4 and 8 print the same figures.
_BY_DEPTH = {2: (90.98, 0.05), 3: (92.62, 0.22), 4: (93.22, 0.17), 5: (93.75, 0.20),
             6: (93.96, 0.15), 7: (94.03, 0.13), 8: (94.01, 0.06), 9: (94.30, 0.17)}


#: FLOPs in G, memory in GB at batch 1,024 and wall-clock time over BP in percent (Table 2).
_COSTS = {
    'bp': (0.25, 9.27, 0.0), 'checkpoint': (0.25, 3.03, 34.1), 'predsim': (0.25, 1.54, 65.9),
    'dgl': (0.26, 1.61, 76.2), 'infopro': (0.34, 3.98, 292.3), 'auglocal-d2': (0.63, 1.71, 87.2),
    'auglocal-d3': (0.69, 1.62, 115.9), 'auglocal-d4': (0.80, 1.70, 135.6),
    'auglocal-d5': (0.98, 1.71, 180.8), 'auglocal-d6': (1.13, 1.72, 214.6),
}


def _top1(figure: tuple[float, float] | None) -> dict[str, Published]:
    return {} if figure is None else {TOP1.key: Published(*figure)}


def _plain(rule: str, figure: tuple[float, float] | None, net: str = 'resnet110') -> Row:
    return Row(rule, _NAMES[rule], rule, f'{rule}/{net}_cifar10.py', paper=_top1(figure),
               cost=_COST[rule])


def _auglocal(depth: int, figure: tuple[float, float] | None = None, *, config: str = '',
              name: str = '', label: str = '') -> Row:
    return Row(name or f'auglocal-d{depth}', label or f'AugLocal, d = {depth}', 'auglocal',
               config or 'auglocal/resnet110_cifar10.py', (f'model.local.depth={depth}',),
               _top1(figure), _AUGLOCAL_COST[depth])


_BASELINES = (_plain('predsim', (74.95, 0.36)), _plain('dgl', (85.69, 0.32)),
              _plain('infopro', (86.95, 0.46)))
_RESNET110 = (_plain('bp', (94.61, 0.18)), *_BASELINES,
              *(_auglocal(depth, _BY_DEPTH[depth]) for depth in range(2, 7)))


def _order(auglocal: str) -> tuple[Claim, ...]:
    """Return the claims BP > AugLocal > InfoPro, DGL > PredSim."""
    pairs = [('bp', auglocal), (auglocal, 'infopro'), (auglocal, 'dgl'),
             ('infopro', 'predsim'), ('dgl', 'predsim')]
    return tuple(Claim(*pair) for pair in pairs)


def _table_2() -> Table:
    bp, *others = _RESNET110
    checkpoint = replace(bp, name='checkpoint', label='BP, gradient checkpointing',
                         rule='checkpoint', same_as='bp')
    rows = tuple(replace(row, paper={**row.paper, **_costs(row.name)})
                 for row in (bp, checkpoint, *others))
    return Table('2', 'CIFAR-10, ResNet-110', (TOP1, FLOPS, MEMORY, OVERHEAD), rows,
                 _order('auglocal-d6'),
                 note='Gradient checkpointing computes what BP computes: its accuracy is BP\'s, '
                      'from the same runs. Memory is, on a GPU, the peak beyond what the process '
                      'held before training and, on a CPU, the saved activations; the paper\'s is '
                      'that of a GPU at batch 1,024.')


def _costs(name: str) -> dict[str, Published]:
    flops, memory, overhead = _COSTS[name]
    return {FLOPS.key: Published(flops), OVERHEAD.key: Published(overhead),
            MEMORY.key: Published(100 * memory / _COSTS['bp'][1])}


def _table_3() -> Table:
    nets = {
        'mobilenet-v2': ('MobileNetV2', [(94.89, 0.15), (92.16, 0.24), (93.94, 0.23),
                                         (94.43, 0.04), (94.52, 0.08)]),
        'efficientnet-b0': ('EfficientNet-B0', [(93.52, 0.15), (92.70, 0.14), (92.84, 0.15),
                                                (93.03, 0.16), (93.13, 0.08)]),
        'regnetx-400mf': ('RegNetX-400MF', [(95.70, 0.12), (94.42, 0.11), (94.72, 0.01),
                                            (94.96, 0.12), (95.09, 0.10)]),
    }
    rows: list[Row] = []
    claims: list[Claim] = []
    for net, (label, figures) in nets.items():
        rows.append(Row(f'{net}-bp', f'BP, {label}', 'bp', f'bp/{net}_cifar10.py',
                        paper=_top1(figures[0])))
        rows += [_auglocal(depth, figure, config=f'auglocal/{net}_cifar10.py',
                           name=f'{net}-d{depth}', label=f'AugLocal, {label}, d = {depth}')
                 for depth, figure in enumerate(figures[1:], start=3)]
        claims += [Claim(f'{net}-bp', f'{net}-d6'), Claim(f'{net}-d6', f'{net}-d3')]
    return Table('3', 'Top-1 accuracy on CIFAR-10, other convolutional networks', (TOP1,),
                 tuple(rows), tuple(claims))


#: Width at which a rule's networks of 3x3 convolutions cost as much as AugLocal's.
_COMPARABLE_WIDTH = {
    'dgl': {2: 46.1, 3: 14.59, 4: 12.22, 5: 7.79, 6: 6.58},
    'predsim': {2: 2.91, 3: 1.41, 4: 1.22, 5: 1.22, 6: 1.18},
    'infopro': {2: 4.42, 3: 5.11, 4: 1.76, 5: 1.53, 6: 1.4},
}


def _table_4() -> Table:
    figures = {
        'dgl': [(83.03, 0.24), (85.82, 0.08), (87.84, 0.46), (89.19, 0.20), (90.01, 0.05)],
        'predsim': [(72.06, 0.63), (80.16, 0.47), (86.00, 0.56), (88.27, 0.72), (88.34, 0.34)],
        'infopro': [(83.71, 0.20), (89.14, 0.17), (90.75, 0.22), (91.45, 0.05), (92.10, 0.17)],
    }
    rows = [_auglocal(depth, _BY_DEPTH[depth]) for depth in range(2, 7)]
    claims = []
    for rule, values in figures.items():
        for depth, figure in enumerate(values, start=2):
            width = _COMPARABLE_WIDTH[rule][depth]
            rows.append(Row(
                f'{rule}-d{depth}', f'{_NAMES[rule]}, d = {depth}', rule,
                f'{rule}/resnet110_cifar10_comparable-flops.py',
                (f'model.local.depth={depth}', f'model.local.width={width}'),
                _top1(figure), _AUGLOCAL_COST[depth]))
            claims.append(Claim(f'auglocal-d{depth}', f'{rule}-d{depth}'))
    return Table('4', 'Top-1 accuracy on CIFAR-10, ResNet-110, at comparable FLOPs', (TOP1,),
                 tuple(rows), tuple(claims),
                 note='The paper does not print the widths; ours bring each rule\'s FLOPs to '
                      'AugLocal\'s of the same depth.')


def _table_5() -> Table:
    ablations = {
        'repetitive-ds2': ('repetitive with downsampling in stage 2', (92.75, 0.09)),
        'repetitive2': ('repetitive in stage 2', (91.73, 0.11)),
        'repetitive-ds12': ('repetitive with downsampling in stages 1 and 2', (91.40, 0.08)),
        'repetitive-ds1-repetitive2': ('repetitive with downsampling in stage 1, repetitive in '
                                       'stage 2', (89.92, 0.37)),
        'conv3x3-ds': ('3×3 convolutions with downsampling in all stages', (88.28, 0.24)),
    }
    rows = [_auglocal(6, _BY_DEPTH[6]), *(
        Row(name, label, 'auglocal', f'auglocal/resnet110_cifar10_{name}.py',
            paper=_top1(figure), cost=_AUGLOCAL_COST[6])
        for name, (label, figure) in ablations.items()), _plain('dgl', (85.69, 0.32))]
    names = [row.name for row in rows]
    return Table('5', 'Ablation of AugLocal, d = 6: top-1 accuracy on CIFAR-10, ResNet-110',
                 (TOP1,), tuple(rows), tuple(Claim(*pair) for pair in zip(names, names[1:],
                                                                          strict=False)))


def _table_6() -> Table:
    printed = {
        5: (0.79, 0.83, 0.87, 0.89, 0.93), 6: (0.90, 0.95, 0.99, 1.03, 1.09),
        7: (0.99, 1.06, 1.11, 1.17, 1.22), 8: (1.09, 1.16, 1.22, 1.29, 1.36),
        9: (1.18, 1.26, 1.35, 1.41, 1.49),
    }
    taus = (1.0, 0.9, 0.8, 0.7, 0.6)
    rows = tuple(
        Row(f'd{depth}-tau{tau}', f'd = {depth}, τ = {tau}', 'auglocal',
            'auglocal/resnet110_cifar10.py',
            (f'model.local.depth={depth}', f'model.local.tau={tau}'),
            {FLOPS.key: Published(printed[depth][index])})
        for depth, (index, tau) in product(printed, enumerate(taus)))
    return Table('6', 'FLOPs of ResNet-110 by pyramid coefficient', (FLOPS,), rows,
                 trained=False, note='Counted, not trained: length and seeds do not matter here.')


def _table_7() -> Table:
    def row(rule: str, box: float, mask: float) -> Row:
        return Row(rule, _NAMES[rule], rule, f'{rule}/resnet34_imagenet.py',
                   paper={BOX_AP.key: Published(box), MASK_AP.key: Published(mask)},
                   cost=1.0 if rule == 'bp' else 3.0,
                   detector=f'mask_rcnn/mask-rcnn_r34_{rule}_fpn_adamw_1x_coco.py')
    return Table('7', 'Mask R-CNN on COCO, ResNet-34 FPN trained on ImageNet', (BOX_AP, MASK_AP),
                 (row('bp', 36.3, 33.8), row('auglocal', 36.2, 33.4)),
                 (Claim('bp', 'auglocal'),),
                 note='The paper gives no learning rate for the detector: 1e-4 is this '
                      'project\'s choice, the same for both.')


def _table_8() -> Table:
    second = {2: (91.59, 0.11), 3: (92.75, 0.50), 4: (93.71, 0.14), 5: (94.11, 0.19),
              6: (94.02, 0.09), 7: (94.17, 0.13), 8: (94.29, 0.07), 9: (94.08, 0.18)}
    rows = [_auglocal(depth, figure) for depth, figure in _BY_DEPTH.items()]
    rows += [_auglocal(depth, figure, config='auglocal/resnet110_cifar10_infopro-loss.py',
                       name=f'infopro-loss-d{depth}',
                       label=f'AugLocal with InfoPro\'s loss, d = {depth}')
             for depth, figure in second.items()]
    return Table('8', 'AugLocal by cross entropy alone and with InfoPro\'s reconstruction: top-1 '
                 'accuracy on CIFAR-10, ResNet-110', (TOP1,), tuple(rows))


def _figure_1() -> Table:
    return Table('figure1', 'Learning curves on CIFAR-10, ResNet-110', (TOP1,), _RESNET110,
                 _order('auglocal-d6'), note='The runs are those of table 2.')


def _small() -> Table:
    rows = (_plain('bp', None, 'resnet32'),
            *(_plain(rule, None, 'resnet32') for rule in ('predsim', 'dgl', 'infopro')),
            *(_auglocal(depth, config='auglocal/resnet32_cifar10.py') for depth in (2, 4)),
            *(Row(f'k{modules}', f'AugLocal, d = 2, K = {modules}', 'auglocal',
                  'auglocal/resnet32_cifar10.py',
                  ('model.local.depth=2', f'model.local.modules={modules}',
                   'model.local.balance=memory'), cost=cost)
              for modules, cost in ((2, 1.0), (4, 1.1))))
    return Table('small', 'Top-1 accuracy on CIFAR-10, ResNet-32', (TOP1,), rows,
                 _order('auglocal-d4'),
                 note='Not a table of the paper: its rules on a network that a small machine can '
                      'train, and few modules cut by memory. The orderings are those that the '
                      'paper finds with ResNet-110.')


TABLES = {'2': _table_2, '3': _table_3, '4': _table_4, '5': _table_5, '6': _table_6,
          '7': _table_7, '8': _table_8, 'figure1': _figure_1, 'small': _small, 'scenes': scenes}


def find_table(name: str) -> Table:
    """Return a table by its name on the command line.

    Raises:
        ValueError: There is no such table.
    """
    key = name.lower().removeprefix('table').strip('-_ ')
    if key not in TABLES:
        raise ValueError(f'no table {name!r}; there are {", ".join(TABLES)}')
    return TABLES[key]()
