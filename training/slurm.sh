#!/usr/bin/env bash
# One run on any number of nodes under SLURM, one task per GPU:
#   sbatch --nodes 2 --ntasks-per-node 4 --gpus-per-node 4 training/slurm.sh -c mnist_cnn --wandb
# Runs that SLURM preempts or that come near their time limit are queued again and go on in the same
# run folder and the same W&B run: both are named after the job, which keeps its number.
#SBATCH --job-name=lab
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=4
#SBATCH --time=08:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=slurm-%j.log
#SBATCH --signal=B:USR1@120
set -uo pipefail
cd "${SLURM_SUBMIT_DIR:-.}"

requeue() {
    echo "near the time limit: queueing job $SLURM_JOB_ID again"
    scontrol requeue "$SLURM_JOB_ID"
}
trap requeue USR1

srun "${PYTHON:-.venv/bin/python}" training/run_experiment.py "$@" \
    --resume auto \
    --trainer.num_nodes "$SLURM_JOB_NUM_NODES" \
    --trainer.devices "$SLURM_NTASKS_PER_NODE" \
    --trainer.strategy ddp &
# The trap runs while `wait` waits, which then returns early; srun itself is waited for again.
while kill -0 $! 2>/dev/null; do wait $!; status=$?; done
exit "${status:-0}"
