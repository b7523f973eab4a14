"""Prove that a change alters no number: losses and weights, bit for bit, before and after.

    .venv/bin/python tests/same_numbers.py main          # this tree against a commit
    .venv/bin/python tests/same_numbers.py --record OUT  # this tree's numbers, as JSON

Every rule trains every kind of network in every way of execution, five steps at a
fixed seed. Both trees run one after another on this machine, in one thread, because
the last bits differ between machines. Takes about two minutes a tree.
"""
from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
import subprocess
import sys
import tempfile
from itertools import product
from pathlib import Path
from typing import Any

STEPS, BATCH, SIDE, CLASSES = 5, 4, 32, 5
RULES: dict[str, dict[str, Any]] = {
    'AugLocal': {'depth': 2, 'tau': 0.5}, 'Backprop': {}, 'DGL': {'depth': 3},
    'InfoPro': {'lambda2': (0.05, 1.0)}, 'PredSim': {}}
_GROUP_NORM = {'type': 'LN2d', 'eps': 1e-6}
NETWORKS: dict[str, dict[str, Any]] = {
    'ResNetCIFAR': {'features': 32, 'backbone': {
        'type': 'auglocal_mm.ResNetCIFAR', 'depth': 20, 'stem_channels': 8, 'base_channels': 8}},
    'VGG': {'features': 512, 'backbone': {
        'type': 'VGG', 'depth': 11, 'norm_cfg': {'type': 'BN'}, 'out_indices': (4,)}},
    'VisionTransformer': {'features': 24, 'neck': None, 'head': 'VisionTransformerClsHead',
                          'backbone': {
        'type': 'VisionTransformer', 'img_size': SIDE, 'patch_size': 8,
        'arch': {'embed_dims': 24, 'num_layers': 4, 'num_heads': 2,
                 'feedforward_channels': 48}}},
    'ConvNeXt': {'features': 32, 'neck': None, 'backbone': {
        'type': 'ConvNeXt', 'arch': {'depths': [1, 1, 2, 1], 'channels': [8, 8, 16, 32]},
        'drop_path_rate': 0.1}}}
#: The optimizer wrapper of each way to run; `ranks` runs the first on two processes.
MODES: dict[str, dict[str, Any]] = {
    'immediate': {'type': 'auglocal_mm.AugLocalOptimWrapper'},
    'joint': {'type': 'OptimWrapper'},
    'bfloat16': {'type': 'auglocal_mm.AugLocalOptimWrapper', 'dtype': 'bfloat16'},
    'accumulation': {'type': 'auglocal_mm.AugLocalOptimWrapper', 'accumulative_counts': 2},
    'ranks': {'type': 'auglocal_mm.AugLocalOptimWrapper'}}


def run_case(rule: str, network: str, mode: str, rank: int = 0) -> dict[str, str]:
    """Train five steps; return every loss in hexadecimal and the hash of all weights."""
    import torch
    from mmengine.registry import MODELS, OPTIM_WRAPPERS, DefaultScope
    from mmpretrain.structures import DataSample

    setting = NETWORKS[network]
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        head = setting.get('head', 'LinearClsHead')
        model = MODELS.build({
            'type': 'auglocal_mm.LocalImageClassifier', 'backbone': setting['backbone'],
            'neck': setting.get('neck', {'type': 'GlobalAveragePooling'}),
            'head': {'type': head, 'num_classes': CLASSES, 'in_channels': setting['features']},
            'data_preprocessor': {'type': 'ClsDataPreprocessor', 'num_classes': CLASSES,
                                  'mean': [120.0], 'std': [60.0]},
            'local': {'type': f'auglocal_mm.{rule}', **RULES[rule]}})
        model.init_weights()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
        wrapper = OPTIM_WRAPPERS.build({**MODES[mode], 'optimizer': optimizer})
        if mode == 'ranks':
            from mmengine.registry import MODEL_WRAPPERS
            trained = MODEL_WRAPPERS.build({
                'type': 'auglocal_mm.LocalDistributedDataParallel', 'module': model})
        else:
            trained = model
    trained.train()
    generator = torch.Generator().manual_seed(7 + rank)
    torch.manual_seed(11)
    losses = []
    for step in range(STEPS):
        wrapper.initialize_count_status(trained, step, STEPS)
        images = torch.randint(256, (BATCH, 3, SIDE, SIDE), generator=generator)
        labels = torch.randint(CLASSES, (BATCH,), generator=generator)
        data = {'inputs': list(images), 'data_samples': [
            DataSample().set_gt_label(label) for label in labels]}
        logs = trained.train_step(data, optim_wrapper=wrapper)
        values = {**logs, **model.local_metrics.losses}
        losses.append({name: float(value).hex() for name, value in sorted(values.items())})
    content = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        content.update(name.encode() + tensor.contiguous().numpy().tobytes())
    return {'losses': json.dumps(losses), 'weights': content.hexdigest()}


def run_rank(rank: int, port: int, out: str) -> None:
    """Run all cases of two ranks in one of them."""
    import torch
    import torch.distributed as dist
    logging.disable(logging.INFO)
    torch.set_num_threads(1)
    dist.init_process_group('gloo', init_method=f'tcp://127.0.0.1:{port}', rank=rank, world_size=2)
    results = {f'{rule} {network} ranks': run_case(rule, network, 'ranks', rank)
               for rule, network in product(RULES, NETWORKS)}
    Path(f'{out}.{rank}').write_text(json.dumps(results), encoding='utf-8')
    dist.destroy_process_group()


def record(out: Path) -> None:
    """Write the numbers of the package that is imported here."""
    import torch
    import torch.multiprocessing
    from tool_runs import free_port

    import auglocal_mm
    logging.disable(logging.INFO)  # mmengine tells how each weight was initialised
    print(f'recording {Path(auglocal_mm.__file__).parent}', flush=True)
    torch.set_num_threads(1)
    results = {f'{rule} {network} {mode}': run_case(rule, network, mode)
               for rule, network, mode in product(RULES, NETWORKS, MODES) if mode != 'ranks'}
    torch.multiprocessing.spawn(run_rank, (free_port(), str(out)), nprocs=2)
    for rank in range(2):
        part = Path(f'{out}.{rank}')
        results.update({f'{name} {rank}': case
                        for name, case in json.loads(part.read_text(encoding='utf-8')).items()})
        part.unlink()
    out.write_text(json.dumps(results, indent=1), encoding='utf-8')


def record_tree(tree: Path, out: Path) -> dict[str, Any]:
    """Record a tree's numbers with its own package, by this file's recipe."""
    here = Path(__file__).resolve()
    paths = [str(tree), str(here.parent)]
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(paths), 'OMP_NUM_THREADS': '1'}
    subprocess.run([sys.executable, '-W', 'ignore', str(here), '--record', str(out)], check=True,
                   env=environment)
    return json.loads(out.read_text(encoding='utf-8'))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('commit', nargs='?', help='the commit to compare with')
    parser.add_argument('--record', type=Path, help='only record the package imported here')
    options = parser.parse_args()
    if options.record:
        record(options.record.absolute())
        return 0
    if not options.commit:
        parser.error('give a commit, or --record OUT')
    root = Path(__file__).resolve().parent.parent
    with tempfile.TemporaryDirectory() as folder:
        old = Path(folder) / 'old'
        subprocess.run(['git', 'worktree', 'add', '-q', '--detach', str(old), options.commit],
                       cwd=root, check=True)
        try:
            before = record_tree(old, Path(folder) / 'before.json')
        finally:
            subprocess.run(['git', 'worktree', 'remove', '--force', str(old)], cwd=root,
                           check=True)
        after = record_tree(root, Path(folder) / 'after.json')
    changed = [name for name in before if before[name] != after.get(name)]
    print(f'{len(before) - len(changed)} of {len(before)} cases are equal to {options.commit}, '
          'bit for bit')
    print(*(f'  differs: {name}' for name in changed), sep='\n', end='')
    return 1 if changed or not before else 0


if __name__ == '__main__':
    sys.exit(main())
