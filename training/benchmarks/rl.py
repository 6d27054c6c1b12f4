"""Environment steps of CartPole while agents learn, and while one only acts / a bare loop over as many carts.

The script's presets act, learn, validate, log and keep checkpoints; the bare loop pushes at random, and what
it does is the least that stepping costs.
"""

import sys
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch

from benchmarks.measuring import EXPERIMENT, alternate, compare
from lab.data.environment import CartPole
from lab.data.environment_experience import acted
from lab.data.environment_playing import Players
from lab.models.policy_gradient import PolicyGradient
from lab.nets.mlp import MLP
from lab.run import main

ENVS, STEPS = 8, 1000


class Steps(pl.Callback):
    """CPU seconds and environment steps at the start of each epoch and at the end."""

    marks: list[tuple[float, int]] = []

    def on_train_epoch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        Steps.marks.append((time.process_time(), data.train_set.env_steps))

    on_train_end = on_train_epoch_start  # type: ignore[assignment]


def learning(preset: str) -> float:
    """Environment steps per CPU second in the second epoch of a preset."""
    Steps.marks = []
    sys.argv = [EXPERIMENT.name, f"-c={preset}", f"--data.num_envs={ENVS}"]
    sys.argv += [f"--trainer.callbacks+={__name__}.Steps", "--trainer.max_epochs=2"]
    assert main.main(EXPERIMENT.parent / "experiments") == 0, "the script failed"
    (started, before), (ended, after) = Steps.marks[-2:]
    return (after - before) / (ended - started)


def acting() -> float:
    """Environment steps per CPU second of an agent that does not learn."""
    agent = PolicyGradient((4,), 2, MLP).eval()
    players, generator = Players(CartPole().make(ENVS)), torch.Generator().manual_seed(0)
    players.reset(0)
    started = time.process_time()
    rollout, _ = players.play(lambda seen: acted(agent, seen, generator), STEPS)
    return int(rollout.valid.sum()) / (time.process_time() - started)


def bare() -> float:
    """Environment steps per CPU second of random pushes; those that begin an episode are none."""
    envs: Any = CartPole().make(ENVS)
    random = np.random.RandomState(0)
    envs.reset(seed=0)
    made, started = 0, time.process_time()
    for _ in range(STEPS):
        _, rewards, _, _, _ = envs.step(random.randint(2, size=ENVS))
        made += int(rewards.sum())
    return made / (time.process_time() - started)


def rows(repeats: int) -> Iterator[dict]:
    """Steps per CPU second; more is better."""
    presets = ("cartpole_policy", "cartpole_q")
    learn = [partial(learning, preset) for preset in presets]
    *learnt, acts, least = alternate(repeats, *learn, acting, bare)
    for preset, speeds in zip(presets, learnt, strict=True):
        yield compare(f"{preset} / bare loop", "env steps / CPU s", speeds, least)
    yield compare("acting / bare loop", "env steps / CPU s", acts, least)
