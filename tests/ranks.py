"""Ranks that train together, forked from the process that tests them."""
import gc
import os
import tempfile
import time
import traceback

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp


def run_ranks(job, *args, ranks=2, start='fork'):
    """Run ``job(rank, *args)`` on gloo ranks; return what each returned, or fail with its error."""
    with tempfile.TemporaryDirectory() as folder:
        # Forked, so that ranks need not import everything again.
        context = mp.start_processes(_rank, (ranks, folder, job, args), nprocs=ranks, join=False,
                                     start_method=start)
        deadline = time.monotonic() + 120
        while not context.join(timeout=5):
            if time.monotonic() > deadline:
                for process in context.processes:
                    process.kill()
                pytest.fail('ranks did not end within 120 s')
        results = [torch.load(os.path.join(folder, f'{rank}.pt'), weights_only=False)
                   for rank in range(ranks)]
    errors = [f'rank {rank}: {result["error"]}' for rank, result in enumerate(results)
              if 'error' in result]
    if errors:  # All of them: the first one may only have lost the one with the cause.
        pytest.fail('\n'.join(errors))
    return [result['value'] for result in results]


def _rank(rank, ranks, folder, job, args):
    gc.freeze()  # A collection would copy the memory that is shared with the parent.
    torch.set_num_threads(1)
    os.environ['RANK'] = str(rank)  # as a launcher sets it
    try:
        dist.init_process_group('gloo', f'file://{folder}/store', rank=rank, world_size=ranks)
        result = {'value': job(rank, *args)}
        dist.destroy_process_group()
    except Exception:
        result = {'error': traceback.format_exc()}
    torch.save(result, os.path.join(folder, f'{rank}.pt'))
