#!/usr/bin/env bash
# Train on several devices of one node, or of several (NNODES, NODE_RANK, MASTER_ADDR, PORT).
#   tools/dist_train.sh CONFIG GPUS [train.py options]
# Without an accelerator GPUS counts processes, which meet over gloo.
set -eu
if [ $# -lt 2 ]; then
    sed -n '2,4s/^# //p' "$0" >&2
    exit 2
fi
config=$1 gpus=$2
shift 2
tools=$(CDPATH= cd -- "$(dirname "$0")" && pwd)
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
# In a clone, the package lies beside the tools and need not be installed.
[ ! -d "$tools/../auglocal_mm" ] || export PYTHONPATH="$tools/..${PYTHONPATH:+:$PYTHONPATH}"
exec "${PYTHON:-python}" -m auglocal_mm.console.ranks \
    --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
    --nproc_per_node="$gpus" "$tools/train.py" "$config" --launcher pytorch "$@"
