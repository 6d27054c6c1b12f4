"""Train, validate, test or predict with any data module, model and net; see `--help`.

Run:  python training/run_experiment.py
      python training/run_experiment.py --data MNIST --model.net CNN --trainer.max_epochs 3
      python training/run_experiment.py -c training/experiments/mnist_cnn.yaml --wandb
"""

import sys
from pathlib import Path

from lab.run.main import main

if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parent / "experiments"))
