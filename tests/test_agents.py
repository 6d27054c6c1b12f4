"""Agents: their mathematics by hand, learning by heart, resuming, and what the script makes of them."""

import math
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import EXPERIMENTS, QUICK
from PIL import Image
from test_building import quiet_trainer
from test_script import Script, same, weights
from torch import Tensor, nn
from torch.nn import functional as F

from lab.data.environment import CartPole
from lab.data.environment_digits import DigitBandit
from lab.data.environment_grid import GridWorld
from lab.errors import LabError
from lab.experience import Rollout
from lab.models.agents import RunningNorm
from lab.models.policy_gradient import PolicyGradient, advantages, clipped_objective
from lab.models.q_learning import QLearning, double_target, exploration_at, look_ahead
from lab.nets.linear import Linear
from lab.nets.mlp import MLP
from lab.run.metrics_file import read_rows

SMALL = partial(MLP, width=16)
MODELS: dict[str, Any] = {"PolicyGradient": PolicyGradient, "QLearning": QLearning}
both = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)


def agent(model: Any, shape: tuple[int, ...] = (4,), actions: int = 2, **options: Any) -> Any:
    torch.manual_seed(0)
    return model(shape, actions, **{"net": SMALL, **options})


def rollout_of(
    rewards: list[float], *, terminated: tuple = (), truncated: tuple = (), resets: tuple = ()
) -> Rollout:
    """A rollout of one environment, observed as the number of the step and of the next."""
    count = len(rewards)

    def marks(places: tuple) -> Tensor:
        return torch.tensor([place in places for place in range(count)])[:, None]

    steps = torch.arange(float(count))[:, None, None]
    return Rollout(
        observations=steps,
        actions=torch.zeros(count, 1, dtype=torch.long),
        rewards=torch.tensor(rewards, dtype=torch.float)[:, None],
        next_observations=steps + 1,
        terminated=marks(terminated),
        ended=marks(terminated) | marks(truncated),
        valid=~marks(resets),
    )


# Normalisation


def test_running_norm_is_mean_and_deviation_of_all_parts() -> None:
    norm = RunningNorm((2, 3))
    seen = torch.randn(100, 2, 3) * torch.arange(1.0, 7).view(2, 3) + 5
    assert torch.equal(norm(seen), seen.clamp(-10, 10))
    for part in seen.split([1, 9, 50, 40]):
        norm.learn(part)
    torch.testing.assert_close(norm.mean, seen.mean(0))
    torch.testing.assert_close(norm.variance, seen.var(0, correction=0), rtol=1e-4, atol=1e-5)
    assert norm.count == 100
    torch.testing.assert_close(norm(seen).mean(0), torch.zeros(2, 3), atol=1e-5, rtol=0)
    assert norm(seen * 1000).abs().max() == 10


# Policy gradient


def brute_force(
    rollout: Rollout, values: Tensor, after: Tensor, gamma: float, decay: float
) -> list:
    """GAE as the sum that defines it, for one environment."""
    errors = [
        r + gamma * float(after[t]) * (not rollout.terminated[t]) - float(values[t])
        for t, r in enumerate(rollout.rewards[:, 0].tolist())
    ]
    found = []
    for start in range(len(errors)):
        total, factor = 0.0, 1.0
        for step in range(start, len(errors)):
            total += factor * errors[step]
            factor *= gamma * decay
            if rollout.ended[step]:
                break
        found.append(total)
    return found


@pytest.mark.parametrize("decay", [0.0, 0.7, 1.0])
def test_advantages_are_the_sum_that_defines_them(decay: float) -> None:
    rollout = rollout_of([1, 2, 3, 4, 5, 6, 7], terminated=(2,), truncated=(4,))
    values, after = torch.randn(7, 1), torch.randn(7, 1)
    found = advantages(rollout, values, after, discount=0.9, decay=decay)
    expected = brute_force(rollout, values, after, 0.9, decay)
    assert found[:, 0].tolist() == pytest.approx(expected, rel=1e-4)


def test_what_follows_counts_unless_the_task_has_ended() -> None:
    # Three steps of reward 1; states are worth 10, what follows the last one 20.
    values = torch.full((3, 1), 10.0)
    after = torch.tensor([[10.0], [10.0], [20.0]])
    options: dict[str, float] = {"discount": 0.5, "decay": 1.0}
    for ends, last in (
        ({"terminated": (2,)}, 1.0),
        ({"truncated": (2,)}, 1 + 0.5 * 20),
        ({}, 1 + 0.5 * 20),
    ):
        found = advantages(rollout_of([1, 1, 1], **ends), values, after, **options)
        returns = [1 + 0.5 * (1 + 0.5 * last), 1 + 0.5 * last, last]
        assert (found[:, 0] + 10).tolist() == pytest.approx(returns)


def test_steps_that_begin_an_episode_are_left_out() -> None:
    model = agent(PolicyGradient, (1,), gae_decay=1.0, discount=1.0, normalise=False)
    nn.init.zeros_(model.baseline.output.weight)
    nn.init.zeros_(model.baseline.output.bias)
    # The third is a reset; its reward must reach nobody.
    rollout = rollout_of([1, 2, 100, 4], terminated=(1,), resets=(2,))
    observations, _, log_p, estimates, targets = model.observe(rollout, [3.0], 3)
    assert observations.flatten().tolist() == [0, 1, 3]
    assert estimates.tolist() == targets.tolist() == [3, 2, 4]
    torch.testing.assert_close(log_p, model(observations)[:, 0])
    assert model.progress.ended == [(3, 3.0)]


def test_objective_at_the_old_policy_is_the_policy_gradient() -> None:
    model, advantage = agent(PolicyGradient), torch.randn(8)
    x, actions = torch.randn(8, 4), torch.randint(2, (8,))

    def log_p() -> Tensor:
        return model(x).gather(1, actions[:, None]).squeeze(1)

    gradients = []
    for objective in (
        clipped_objective(log_p() - log_p().detach(), advantage, clip=0.2),
        (log_p() * advantage).mean(),
    ):
        gradients.append(torch.autograd.grad(objective, list(model.policy.parameters())))
    for mine, other in zip(*gradients, strict=True):
        torch.testing.assert_close(mine, other)


@pytest.mark.parametrize(
    ("ratio", "advantage", "expected", "moves"),
    [
        (1.1, 1.0, 1.1, True),
        (1.3, 1.0, 1.2, False),
        (0.7, 1.0, 0.7, True),
        (1.3, -1.0, -1.3, True),
        (0.7, -1.0, -0.8, False),
    ],
)
def test_clipping_by_hand(ratio: float, advantage: float, expected: float, moves: bool) -> None:
    log_ratio = torch.tensor([math.log(ratio)], requires_grad=True)
    objective = clipped_objective(log_ratio, torch.tensor([advantage]), clip=0.2)
    objective.backward()
    assert objective.item() == pytest.approx(expected)
    assert log_ratio.grad is not None and bool(log_ratio.grad != 0) == moves


def test_actions_are_drawn_by_their_probabilities() -> None:
    model = agent(PolicyGradient, (4,), 3)
    x = torch.randn(4).expand(20_000, 4)
    drawn = model.act(x, torch.Generator().manual_seed(0))
    share = torch.bincount(drawn, minlength=3) / len(drawn)
    torch.testing.assert_close(share, model(x[:1]).exp()[0].detach(), atol=0.015, rtol=0)
    assert torch.equal(drawn, model.act(x, torch.Generator().manual_seed(0)))
    assert set(model.act(x, None).tolist()) == {int(model(x[:1]).argmax())}


@pytest.mark.parametrize("actions", [2, 10])
def test_first_policy_is_a_guess(actions: int) -> None:
    model = agent(PolicyGradient, (1, 8, 8), actions, net=MLP)
    log_p = model(torch.rand(200, 1, 8, 8))
    entropy = -(log_p.exp() * log_p).sum(-1).mean().item()
    assert entropy == pytest.approx(math.log(actions), rel=0.01)


# Q-learning


def test_double_target_by_hand() -> None:
    # The online net prefers action 1, which the target net values at 3, not at its own best 5.
    online, target = torch.tensor([[1.0, 2.0]]), torch.tensor([[5.0, 3.0]])
    for factor, expected in ((0.9, 1 + 0.9 * 3), (0.0, 1.0)):
        found = double_target(torch.tensor([1.0]), torch.tensor([factor]), online, target)
        assert found.tolist() == pytest.approx([expected])


@pytest.mark.parametrize("steps", [1, 2, 3, 9])
def test_look_ahead_is_the_sum_that_defines_it(steps: int) -> None:
    rollout = rollout_of([1, 2, 3, 4, 50, 6, 7], terminated=(2,), truncated=(3,), resets=(4,))
    rewards, after, factors = look_ahead(rollout, steps=steps, discount=0.5)
    for start in (0, 1, 2, 3, 5, 6):
        total, factor = 0.0, 1.0
        for step in range(start, min(start + steps, 7)):
            total += factor * rollout.rewards[step, 0].item()
            factor *= 0.5
            if rollout.ended[step]:
                break
        assert rewards[start, 0].item() == pytest.approx(total)
        assert after[start, 0].item() == step + 1
        assert factors[start, 0].item() == (0 if step == 2 else factor)


def test_exploration_falls_in_a_line() -> None:
    at = partial(exploration_at, start=1.0, end=0.1, share=0.5)
    assert [at(done) for done in (0, 0.25, 0.5, 1)] == pytest.approx([1, 0.55, 0.1, 0.1])
    assert exploration_at(0.0, start=1.0, end=0.1, share=0.0) == 0.1


def test_exploring_takes_all_actions_equally_often() -> None:
    model = agent(QLearning, (4,), 3)
    model.trainer, model.total_updates = quiet_trainer(), 100
    x = torch.randn(4).expand(20_000, 4)
    drawn = model.act(x, torch.Generator().manual_seed(0))
    assert torch.bincount(drawn, minlength=3).div(len(drawn)).tolist() == pytest.approx(
        [1 / 3] * 3, abs=0.015
    )
    model.explore_share, model.explore_end = 0.0, 0.3
    best = int(model(x[:1]).argmax())
    drawn = model.act(x, torch.Generator().manual_seed(0))
    assert (drawn == best).double().mean().item() == pytest.approx(0.7 + 0.1, abs=0.015)
    assert set(model.act(x, None).tolist()) == {best}


def unlogged(model: Any) -> Any:
    """The model with a trainer that logs nothing."""
    model.trainer = quiet_trainer(log_every_n_steps=1000)
    return model


def q_batch(count: int) -> tuple[Tensor, ...]:
    """Steps after which the task has ended."""
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, count, 4, generator=generator)
    actions = torch.randint(2, (count,), generator=generator)
    return x, actions, torch.rand(count, generator=generator) + 1, y, torch.zeros(count)


def test_first_values_are_those_of_a_guess() -> None:
    batch = q_batch(256)
    model = unlogged(agent(QLearning, net=MLP))
    assert model(batch[0]).abs().mean() < 0.2
    guess = F.mse_loss(torch.zeros(256), batch[2]).item()
    assert model.training_step(batch, 0).item() == pytest.approx(guess, rel=0.2)


def test_target_net_follows_slowly_and_is_not_trained() -> None:
    model = unlogged(agent(QLearning, target_rate=0.25))
    before = [w.clone() for w in model.target.parameters()]
    assert all(torch.equal(*pair) for pair in zip(before, model.net.parameters(), strict=True))
    optimizer = model.configure_optimizers()
    for _ in range(2):
        model.training_step(q_batch(8), 0).backward()
        optimizer.step()
        net = [w.detach().clone() for w in model.net.parameters()]
        expected = [t.lerp(w, 0.25) for t, w in zip(before, net, strict=True)]
        model.on_train_batch_end(None, None, 0)
        before = [w.clone() for w in model.target.parameters()]
        for found, wanted in zip(before, expected, strict=True):
            torch.testing.assert_close(found, wanted)
    assert all(w.is_leaf and not w.requires_grad for w in model.target.parameters())


def test_values_of_a_batch_are_learnt_by_heart() -> None:
    model, batch = unlogged(agent(QLearning, lr=1e-2, net=MLP)), q_batch(32)
    optimizer = model.configure_optimizers()
    for _ in range(200):
        optimizer.zero_grad()
        loss = model.training_step(batch, 0)
        loss.backward()
        optimizer.step()
    assert loss.item() < 1e-4


def test_right_answers_to_a_batch_are_learnt_by_heart() -> None:
    """Only rewards of what the policy tried tell which answer is right to each of 32 questions."""
    model = unlogged(agent(PolicyGradient, (4,), 3, lr=3e-3, entropy=0.5, net=MLP))
    generator = torch.Generator().manual_seed(0)
    x, right = torch.randn(32, 4, generator=generator), torch.arange(32) % 3
    optimizer = model.configure_optimizers()
    questions, everywhere = x.expand(8, 32, 4), torch.ones(8, 32, dtype=torch.bool)
    for _ in range(100):
        actions = model.act(questions.flatten(0, 1), generator).view(8, 32)
        rewards = (actions == right).float()
        rollout = Rollout(
            questions, actions, rewards, questions, everywhere, everywhere, everywhere
        )
        loss = model.training_step(model.observe(rollout, [], 0), 0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert torch.equal(model.act(x, None), right)


# Both


@both
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"discount": 1.1}, "--model.discount 1.1: choose 0 to 1"),
        ({"horizon": 0}, "--model.horizon 0: choose 1 or more"),
        ({"lr": 0.0}, "--model.lr 0.0"),
    ],
    ids=str,
)
def test_options_out_of_range(model: Any, options: dict, message: str) -> None:
    with pytest.raises(LabError, match=f"^{message}"):
        agent(model, **options)


@pytest.mark.parametrize(
    ("model", "options"),
    [
        (PolicyGradient, {"gae_decay": -0.1}),
        (PolicyGradient, {"passes": 0}),
        (PolicyGradient, {"clip": -1.0}),
        (PolicyGradient, {"entropy": math.inf}),
        (PolicyGradient, {"value_weight": -1.0}),
        (QLearning, {"look_ahead": 0}),
        (QLearning, {"updates": 0}),
        (QLearning, {"capacity": 0}),
        (QLearning, {"start": 0}),
        (QLearning, {"target_rate": 2.0}),
        (QLearning, {"explore_end": -1.0}),
        (QLearning, {"explore_share": 2.0}),
    ],
    ids=str,
)
def test_other_options_out_of_range(model: Any, options: dict) -> None:
    ((name, value),) = options.items()
    with pytest.raises(LabError, match=f"^--model.{name} {value}: choose"):
        agent(model, **options)


@both
@pytest.mark.parametrize("data", [CartPole, GridWorld, DigitBandit])
def test_each_agent_lives_in_each_environment(model: Any, data: Any) -> None:
    lived = data(num_envs=4, batch_size=16, steps_per_epoch=64)
    options: dict[str, Any] = {"start": 20} if model is QLearning else {"passes": 2}
    built = agent(
        model, lived.observation_shape, lived.num_actions, horizon=8, normalise=True, **options
    )
    trainer = quiet_trainer(max_epochs=1, log_every_n_steps=1)
    trainer.fit(built, datamodule=lived)
    assert trainer.global_step == len(lived.train_dataloader()) > 3
    assert {"val/return", "val/length", "train/loss", "env_steps"} <= set(trainer.callback_metrics)
    # Frozen at evaluation: what the agent has seen is what it saw in training.
    before = {key: value.clone() for key, value in built.state_dict().items()}
    assert built.norm.count > 0
    trainer.test(built, datamodule=lived, verbose=False)
    assert same(before, built.state_dict())
    assert set(built.baselines(lived)["random"]) == {"test/return", "test/length"}
    (found,) = trainer.predict(built, datamodule=lived)
    assert found.shape[0] >= 100 and found.max() < lived.num_actions


def test_normalisation_can_be_left_out() -> None:
    model = agent(PolicyGradient, (1,), normalise=False)
    model.observe(rollout_of([1, 1, 1]), [], 3)
    assert model.norm.count == 0 and model.norm(torch.tensor([[7.0]])) == 7


@both
def test_training_without_an_end(model: Any) -> None:
    lived = CartPole(steps_per_epoch=64)
    trainer = quiet_trainer(max_epochs=-1, limit_train_batches=1)
    built = agent(model, horizon=8)
    built.trainer = trainer
    if model is QLearning:
        with pytest.raises(LabError, match="needs to know when the training ends"):
            trainer.fit(built, datamodule=lived)


# The script

TINY = ("--data", "CartPole", "--data.steps_per_epoch", "256", "--data.val_episodes", "5")
TINY += ("--trainer.enable_progress_bar", "false")
NET = ("--model.net", "MLP", "--model.net.width", "8")


@pytest.mark.parametrize("name", MODELS)
def test_a_run_leaves_metrics_figures_and_predictions(script: Script, name: str) -> None:
    outcome = script(
        *TINY, "--model", name, *NET, "--model.horizon", "16", "--trainer.max_epochs", "2"
    )
    assert outcome.code == 0, outcome.err
    assert outcome.summary["test/return"] == outcome.summary["test/length"] > 0
    assert "random" in outcome.out and outcome.summary["baseline/random/test/return"] > 0
    figures = {path.name for path in (outcome.folder / "figures").iterdir()}
    assert figures == {"returns.png", "episode.gif"}
    with Image.open(outcome.folder / "figures" / "episode.gif") as film:
        assert film.n_frames > 3
    rows = read_rows(outcome.folder / "metrics.csv")
    assert any(row["env_steps"] for row in rows) and any(row["train/return"] for row in rows)
    best = outcome.folder / "checkpoints" / "best.ckpt"
    assert "norm.mean" in torch.load(best, weights_only=True)["state_dict"]
    again = script("test", "--ckpt_path", best)
    assert again.code == 0, again.err
    assert again.summary["test/return"] == outcome.summary["test/return"]
    found = script("predict", "--ckpt_path", best)
    assert found.code == 0, found.err
    actions = torch.load(found.folder / "predictions.pt", weights_only=True)
    lengths = (actions >= 0).sum(1).double()
    assert lengths.mean().item() == pytest.approx(outcome.summary["test/length"])


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_resumed_run_is_the_one_never_stopped(
    script: Script, name: str, own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("stopping.py").write_text(
        "from pathlib import Path\n"
        "import pytorch_lightning as pl\n"
        "class Stop(pl.Callback):\n"
        "    def on_train_batch_start(self, trainer, module, batch, batch_idx):\n"
        "        if trainer.current_epoch == 1 and batch_idx == 3 and Path('armed').exists():\n"
        "            Path('armed').unlink()\n"
        "            raise RuntimeError('stopped')\n"
    )
    monkeypatch.syspath_prepend(own_folder)
    words = [*TINY, "--model", name, *NET, "--model.horizon", "8", "--trainer.max_epochs", "3"]
    words += ["--trainer.callbacks+=stopping.Stop", "--trainer.log_every_n_steps", "20"]
    if name == "QLearning":
        # The memory is full, and some of it written over, when the run is stopped.
        words += ["--model.start", "100", "--model.capacity", "300"]
    whole = script(*words, "--run_dir", "whole")
    assert whole.code == 0, whole.err
    Path("armed").touch()
    assert script(*words, "--run_dir", "killed").code == 1
    resumed = script("--resume", "killed", "--run_dir", "killed")
    assert resumed.code == 0, resumed.err
    for kind in ("last", "best"):
        assert same(weights(Path("whole"), kind), weights(Path("killed"), kind))
    assert read_rows(Path("whole/metrics.csv")) == read_rows(Path("killed/metrics.csv"))
    pictures = [np.asarray(Image.open(f"{run}/figures/returns.png")) for run in ("whole", "killed")]
    assert np.array_equal(*pictures)


@pytest.mark.parametrize("data", ["CartPole", "GridWorld", "DigitBandit"])
def test_wrong_pairings_say_what_fits(script: Script, data: str) -> None:
    outcome = script("--data", data, "--model", "Classification", *QUICK)
    assert outcome.code == 2
    assert f"--data {data} does not fit --model Classification" in outcome.err
    assert f"Models that fit {data}: PolicyGradient, QLearning" in outcome.err


def test_environments_that_cannot_be_used_are_told(script: Script) -> None:
    outcome = script("--data", "Environment", "--data.id", "Pendulum-v1", "--model", "QLearning")
    assert outcome.code == 2 and "--data.id Pendulum-v1: the actions are Box" in outcome.err
    assert len(outcome.err.strip().splitlines()) <= 6


def test_an_environment_that_is_not_drawn_is_plotted(script: Script, registered: None) -> None:
    words = ("--data", "Environment", "--data.id", "Dark-v0", "--data.val_episodes", "2")
    words += ("--model", "PolicyGradient", "--model.horizon", "4", "--data.steps_per_epoch", "32")
    outcome = script(*words, *QUICK)
    assert outcome.code == 0, outcome.err
    names = {path.name for path in (outcome.folder / "figures").iterdir()}
    assert names == {"returns.png", "episode.png"}


# What is to be reached


def trained(script: Script, preset: str, *words: str) -> Any:
    outcome = script("-c", preset, "--trainer.enable_progress_bar", "false", *words)
    assert outcome.code == 0, outcome.err
    return outcome


@pytest.mark.slow
def test_grid_policy_is_optimal(script: Script) -> None:
    outcome = trained(script, "grid_q")
    grid = GridWorld().grid
    model = QLearning((11,), 4, partial(Linear, bias=False), discount=0.9)
    model.load_state_dict(weights(outcome.folder, "last"))
    greedy = model.act(torch.eye(11), None).numpy()
    best, found = grid.optimal_values(model.discount), grid.policy_values(greedy, model.discount)
    np.testing.assert_allclose(found, best, atol=1e-9)
    # Not only the best actions are known, but about what they are worth.
    values = model(torch.eye(11)).detach().numpy()[~grid.final]
    exact = grid.action_values(best, model.discount)[~grid.final]
    assert np.abs(values - exact).max() < 0.1


@pytest.mark.slow
def test_bandit_names_digits(script: Script) -> None:
    outcome = trained(script, "bandit_policy")
    assert outcome.summary["test/return"] >= 0.85
    assert outcome.summary["env_steps"] <= 60_000
    assert outcome.summary["baseline/random/test/return"] == pytest.approx(0.1, abs=0.06)


@pytest.mark.slow
@pytest.mark.parametrize(("preset", "least"), [("cartpole_policy", 475), ("cartpole_q", 450)])
def test_pole_is_balanced(script: Script, preset: str, least: float) -> None:
    outcome = trained(script, preset)
    assert outcome.summary["test/return"] >= least
    assert outcome.summary["env_steps"] <= 100_000


def test_presets_stay_within_their_steps() -> None:
    assert {"cartpole_q", "cartpole_policy", "grid_q", "bandit_policy"} <= {
        path.stem for path in EXPERIMENTS.glob("*.yaml")
    }
