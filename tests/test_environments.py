"""Environments as data: steps and ends of episodes by hand, exact values of the grid, the sets' seeds."""

import math
import re
from types import SimpleNamespace
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from small_environments import Counting
from torch import Tensor

from lab.data.digits import Digits
from lab.data.environment import CartPole, Environment
from lab.data.environment_digits import DigitBandit
from lab.data.environment_experience import ReplayMemory, uniform
from lab.data.environment_grid import Grid, GridEnvs, GridWorld
from lab.data.environment_playing import Players, film, play_episodes
from lab.errors import LabError
from lab.experience import Replay, Rollout, Rollouts

MODULES = {"CartPole": CartPole, "GridWorld": GridWorld, "DigitBandit": DigitBandit}
MODES = (AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP)


def counting(mode: AutoresetMode, *limits: int) -> SyncVectorEnv:
    return SyncVectorEnv(
        [lambda limit=limit: Counting(limit) for limit in limits], autoreset_mode=mode
    )


def ends_at_two(observations: Tensor) -> Tensor:
    """The action that ends the task when the count is 2."""
    return (observations[:, 0] == 2).long()


def played(mode: AutoresetMode, *limits: int, steps: int) -> tuple[Rollout, list[float]]:
    players = Players(counting(mode, *limits))
    players.reset(0)
    return players.play(ends_at_two, steps)


# The first environment always comes to its third step, which ends the task; the second runs out of time at 2.
STEPS = [
    [(0, 1, 1, False, False), (1, 2, 2, False, False), (2, 3, 3, True, True)],
    [(0, 1, 1, False, False), (1, 2, 2, False, True)],
]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("which", [0, 1])
def test_ends_of_episodes_by_hand(mode: AutoresetMode, which: int) -> None:
    rollout, returns = played(mode, 9, 2, steps=12)
    valid = rollout.valid[:, which]
    columns = (
        rollout.observations[..., 0],
        rollout.next_observations[..., 0],
        rollout.rewards,
        rollout.terminated,
        rollout.ended,
    )
    found = list(zip(*(column[valid, which].tolist() for column in columns), strict=True))
    episode = STEPS[which]
    # In the next-step mode each end costs a step, in which nothing happens.
    lost = 12 // (len(episode) + 1) if mode is AutoresetMode.NEXT_STEP else 0
    assert found == (episode * 6)[: 12 - lost]
    # Episodes bring 1 + 2 + 3 and 1 + 2.
    assert (returns.count(6.0), returns.count(3.0)) == ((4, 6) if lost == 0 else (3, 4))
    assert len(returns) == int(rollout.ended.sum())


@pytest.mark.parametrize("mode", MODES)
def test_returns_of_whole_episodes_only(mode: AutoresetMode) -> None:
    players = Players(counting(mode, 9))
    players.reset(0)
    first, second = players.play(ends_at_two, 2), players.play(ends_at_two, 1)
    assert first[1] == [] and second[1] == [6.0]
    # A new start forgets what was under way.
    players.play(ends_at_two, 2)
    players.reset(0)
    assert players.play(ends_at_two, 3)[1] == [6.0]


@pytest.mark.parametrize("mode", MODES)
def test_one_episode_of_each_environment(mode: AutoresetMode) -> None:
    episodes = play_episodes(counting(mode, 9, 2, 1), ends_at_two, seed=0)
    assert episodes.returns.tolist() == [6, 3, 1]
    assert episodes.lengths.tolist() == [3, 2, 1]
    assert episodes.actions.tolist() == [[0, 0, 1], [0, 0, -1], [0, -1, -1]]


def test_environments_without_autoreset_are_refused() -> None:
    with pytest.raises(LabError, match="does not say how it starts new episodes"):
        Players(counting(AutoresetMode.DISABLED, 2))


def test_cart_pole_steps_are_those_of_a_single_cart() -> None:
    data = CartPole()
    players = Players(data.make(3))
    players.reset(5)
    rollout, returns = players.play(uniform(2), 300)
    assert rollout.observations.shape == (300, 3, 4)
    assert len(returns) > 20 and sum(returns) <= int(rollout.valid.sum())
    single: Any = gymnasium.make("CartPole-v1").unwrapped
    single.reset()
    for step, place in rollout.valid.nonzero().tolist():
        single.state = rollout.observations[step, place].double().numpy()
        single.steps_beyond_terminated = None
        seen, reward, terminated, _, _ = single.step(int(rollout.actions[step, place]))
        np.testing.assert_allclose(seen, rollout.next_observations[step, place], atol=1e-5)
        assert reward == rollout.rewards[step, place] == 1
        assert terminated == rollout.terminated[step, place]


def test_a_pole_that_stands_runs_out_of_time() -> None:
    def balance(observations: Tensor) -> Tensor:
        return (observations @ torch.tensor([0.0, 0.1, 1.0, 0.5]) > 0).long()

    players = Players(CartPole().make(4))
    players.reset(0)
    rollout, returns = players.play(balance, 501)
    assert returns == [500.0] * 4
    assert rollout.ended[499].all() and not rollout.terminated.any()
    assert rollout.valid[:500].all() and not rollout.valid[500].any()


# Facts, sets, seeds


@pytest.mark.parametrize(
    ("data", "shape", "actions"),
    [
        (CartPole(), (4,), 2),
        (Environment(), (6,), 3),
        (Environment(id="FrozenLake-v1"), (16,), 4),
        (GridWorld(), (11,), 4),
        (DigitBandit(), (1, 8, 8), 10),
    ],
    ids=lambda value: type(value).__name__ if hasattr(value, "setup") else "",
)
def test_facts_are_those_of_the_environments(data: Any, shape: tuple, actions: int) -> None:
    assert (data.observation_shape, data.num_actions) == (shape, actions)
    data.setup("fit")
    envs = data.train_set.players.envs
    assert envs.single_observation_space.shape == shape
    assert envs.single_action_space.n == actions
    observations, _ = envs.reset(seed=0)
    assert observations.shape == (data.num_envs, *shape)


class Agent:
    """Acts at random and learns nothing; keeps what it is shown."""

    device = torch.device("cpu")

    def __init__(self, num_actions: int, plan: Rollouts | Replay) -> None:
        self.num_actions, self.experience = num_actions, plan
        self.seen: list[Rollout] = []
        self.modes: list[str] = []

    def eval(self) -> None:
        self.modes.append("eval")

    def train(self) -> None:
        self.modes.append("train")

    def act(self, observations: Tensor, generator: torch.Generator | None) -> Tensor:
        if generator is None:
            return torch.zeros(len(observations), dtype=torch.long)
        return torch.randint(self.num_actions, (len(observations),), generator=generator)

    def observe(self, rollout: Rollout, returns: list[float], env_steps: int) -> tuple[Tensor, ...]:
        self.seen.append(rollout)
        self.env_steps = env_steps
        valid = rollout.valid.flatten()
        return rollout.observations.flatten(0, 1)[valid], rollout.actions.flatten()[valid]


def with_agent(data: Any, plan: Rollouts | Replay, *, epoch: int = 0, rank: int = 0) -> Any:
    """The data module as its trainer would have it."""
    agent = Agent(data.num_actions, plan)
    data.trainer = SimpleNamespace(lightning_module=agent, current_epoch=epoch, global_rank=rank)
    data.setup("fit")
    return data


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("plan", [Rollouts(4, 3), Replay(4, 3, 50, 20)], ids=["rollouts", "replay"])
def test_an_epoch_has_the_batches_it_says(name: str, plan: Any) -> None:
    data = with_agent(MODULES[name](num_envs=5, batch_size=6, steps_per_epoch=100), plan)
    batches = list(data.train_dataloader())
    agent = data.trainer.lightning_module
    # Five rollouts of 20 steps, each cut into three parts of at least six.
    assert len(batches) == len(data.train_dataloader()) == 5 * 3 * (3 if len(plan) == 2 else 1)
    assert len(agent.seen) == (5 if len(plan) == 2 else 5 + (len(agent.seen) > 5))
    assert agent.env_steps == sum(int(rollout.valid.sum()) for rollout in agent.seen) <= 120
    assert agent.modes == ["eval", "train"] * len(agent.seen)
    for x, actions in batches:
        assert x.shape[1:] == data.observation_shape and x.dtype == torch.float
        assert (
            actions.dtype == torch.long and 0 <= actions.min() <= actions.max() < data.num_actions
        )
    if len(plan) == 2:
        # Each pass has every step once.
        rows = torch.cat([x.flatten(1) for x, _ in batches[:3]])
        first = agent.seen[0]
        expected = first.observations.flatten(0, 1)[first.valid.flatten()].flatten(1)
        assert sorted(rows.tolist()) == sorted(expected.tolist())


def test_no_batch_is_empty_where_steps_are_missing(registered: None) -> None:
    lived = Environment(id="Counting-v0", num_envs=2, batch_size=1, steps_per_epoch=24)
    data = with_agent(lived, Rollouts(12, 2))
    sizes = [len(x) for x, _ in data.train_dataloader()]
    assert data.trainer.lightning_module.env_steps < 24
    assert len(sizes) == len(data.train_dataloader()) == 48 and min(sizes) == 1


def test_acting_and_learning_take_turns() -> None:
    data = with_agent(CartPole(num_envs=2, batch_size=4, steps_per_epoch=40), Rollouts(4, 1))
    agent, counts = data.trainer.lightning_module, []
    for _ in data.train_dataloader():
        counts.append(len(agent.seen))
    assert counts == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]


@pytest.mark.parametrize("name", MODULES)
def test_experience_depends_on_seed_epoch_and_process(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lived(**place: int) -> Tensor:
        torch.manual_seed(len(place))
        np.random.seed(len(place))
        data = with_agent(MODULES[name](steps_per_epoch=64), Rollouts(8, 1), **place)
        list(data.train_dataloader())
        return data.trainer.lightning_module.seen[0].observations

    first = lived()
    assert torch.equal(first, lived(epoch=0, rank=0))
    others = [lived(epoch=1), lived(rank=1)]
    monkeypatch.setenv("PL_GLOBAL_SEED", "1")
    others.append(lived())
    assert not any(torch.equal(first, other) for other in others)


@pytest.mark.parametrize("name", MODULES)
def test_judged_on_episodes_of_their_own(name: str) -> None:
    data = with_agent(MODULES[name](steps_per_epoch=64), Rollouts(8, 1))
    starts = {}
    for kind in ("val", "test"):
        (batch,) = getattr(data, f"{kind}_dataloader")()
        (again,) = getattr(data, f"{kind}_dataloader")()
        assert all(torch.equal(*pair) for pair in zip(batch, again, strict=True))
        assert batch.returns.shape == batch.lengths.shape == batch.actions.shape[:1]
        assert (batch.actions >= 0).sum(1).tolist() == batch.lengths.tolist()
        judged = getattr(data, f"{kind}_set")
        starts[kind] = judged.envs.reset(seed=judged.seed)[0]
    assert len(data.test_set.play(uniform(data.num_actions)).returns) >= 100
    assert not np.array_equal(starts["val"][:100], starts["test"][:100])


def test_validation_has_as_many_episodes_as_asked() -> None:
    data = with_agent(CartPole(val_episodes=7), Rollouts(8, 1))
    (val,), (test,) = data.val_dataloader(), data.test_dataloader()
    assert (len(val.returns), len(test.returns)) == (7, 100)


# Memory


def test_memory_writes_over_the_oldest_and_comes_back() -> None:
    memory = ReplayMemory(5)
    for start in (0, 3, 6):
        rows = torch.arange(start, start + 3)
        memory.add((rows, 2.0 * rows[:, None]))
    assert sorted(memory.columns[0].tolist()) == [4, 5, 6, 7, 8]
    torch.save(memory.state_dict(), "memory.pt")
    again = ReplayMemory(5)
    again.load_state_dict(torch.load("memory.pt", weights_only=True))
    for both in (memory, again):
        both.add((torch.tensor([9]), torch.tensor([[18.0]])))
    assert all(torch.equal(*pair) for pair in zip(memory.columns, again.columns, strict=True))
    samples = [m.sample(100, torch.Generator().manual_seed(0)) for m in (memory, again)]
    assert torch.equal(samples[0][0], samples[1][0])
    assert set(samples[0][0].tolist()) == {5, 6, 7, 8, 9}
    assert torch.equal(samples[0][1][:, 0], 2 * samples[0][0])


def test_memory_that_is_not_full_saves_what_is_there() -> None:
    memory, again = ReplayMemory(1000), ReplayMemory(1000)
    again.load_state_dict(memory.state_dict())
    assert again.count == 0
    memory.add((torch.arange(7),))
    state = memory.state_dict()
    assert state["columns"][0].untyped_storage().nbytes() == 7 * 8
    again.load_state_dict(state)
    again.add((torch.arange(2),))
    assert again.columns[0][:9].tolist() == [*range(7), 0, 1]


def test_more_than_memory_holds() -> None:
    memory = ReplayMemory(4)
    memory.add((torch.arange(11),))
    assert sorted(memory.columns[0].tolist()) == [7, 8, 9, 10]


# The grid

# Russell & Norvig, the utilities of the 4x3 world without discount, row by row; the wall is left out.
UTILITIES = [0.812, 0.868, 0.918, 0, 0.762, 0.660, 0, 0.705, 0.655, 0.611, 0.388]


def test_grid_has_the_values_of_the_textbook() -> None:
    grid = GridWorld().grid
    values = grid.optimal_values(discount=1.0)
    np.testing.assert_allclose(values, UTILITIES, atol=5e-4)
    np.testing.assert_allclose(grid.transition.sum(-1), 1)


@pytest.mark.parametrize("slip", [0.0, 0.2, 0.5])
@pytest.mark.parametrize("discount", [0.5, 0.9, 0.99])
def test_no_policy_is_better_than_the_optimal_one(slip: float, discount: float) -> None:
    grid = GridWorld(slip=slip).grid
    best = grid.optimal_values(discount)
    np.testing.assert_allclose(
        best, np.where(grid.final, 0, grid.action_values(best, discount).max(1)), atol=1e-12
    )
    random = np.random.RandomState(0)
    for _ in range(50):
        values = grid.policy_values(random.randint(4, size=11), discount)
        assert (values <= best + 1e-12).all()


def test_values_on_a_short_corridor_by_hand() -> None:
    grid = Grid(("..G",), slip=0.0)
    last, first = 1 - 0.04, -0.04 + 0.5 * (1 - 0.04)
    assert grid.optimal_values(0.5).tolist() == pytest.approx([first, last, 0])
    # Always to the left: never there, a cost at every step.
    assert grid.policy_values(np.array([3, 3, 3]), 0.5).tolist() == pytest.approx(
        [-0.08, -0.04 - 0.5 * 0.08, 0]
    )


def test_grids_move_as_the_chances_say() -> None:
    grid = GridWorld(slip=0.3).grid
    envs = GridEnvs(grid, 20_000, most_steps=100)
    envs.reset(seed=0)
    before = envs.states
    assert set(before) == set(np.flatnonzero(~grid.final))
    actions = np.arange(20_000) % 4
    observations, rewards, terminated, truncated, info = envs.step(actions)
    after = info["final_obs"].argmax(1)
    counts = np.zeros_like(grid.transition)
    np.add.at(counts, (before, actions, after), 1)
    share = counts / counts.sum(-1, keepdims=True).clip(1)
    assert np.abs(share - grid.transition)[~grid.final].max() < 0.08
    np.testing.assert_array_equal(rewards, grid.rewards[after])
    np.testing.assert_array_equal(terminated, grid.final[after])
    assert not truncated.any() and (observations.sum(1) == 1).all()
    np.testing.assert_array_equal(observations.argmax(1)[~terminated], after[~terminated])


def test_grid_episodes_end_for_lack_of_time() -> None:
    envs = GridEnvs(Grid(("..G",), slip=0.0), 50, most_steps=4)
    left = play_episodes(envs, lambda x: torch.full((len(x),), 3), seed=0)
    assert set(left.lengths.tolist()) == {4}
    assert left.returns.tolist() == pytest.approx([-0.16] * 50)
    right = play_episodes(envs, lambda x: torch.ones(len(x), dtype=torch.long), seed=0)
    assert set(right.lengths.tolist()) == {1, 2}


# The bandit


def test_bandit_pays_for_the_right_digit() -> None:
    data, digits = DigitBandit(), Digits()
    for module in (data, digits):
        module.setup("fit")
    labels = digits.test_set.tensors[1]
    answers = torch.randint(10, (len(labels),))
    episodes = data.test_set.play(lambda _: answers)
    assert torch.equal(episodes.returns, (answers == labels).float())
    assert set(episodes.lengths.tolist()) == {1}
    assert data.val_set.play(lambda _: digits.val_set.tensors[1]).returns.mean() == 1


def test_bandit_trains_on_training_images_alone() -> None:
    data = with_agent(DigitBandit(steps_per_epoch=20_000), Rollouts(8, 1))
    list(data.train_dataloader())
    seen = torch.cat([r.observations.flatten(0, 1) for r in data.trainer.lightning_module.seen])
    digits = Digits()
    digits.setup("fit")
    train = {tuple(row) for row in digits.train_set.tensors[0].flatten(1).tolist()}
    assert {tuple(row) for row in seen.flatten(1).tolist()} == train
    rollout = data.trainer.lightning_module.seen[0]
    assert rollout.valid.all() and rollout.terminated.all() and rollout.ended.all()
    assert torch.equal(rollout.observations, rollout.next_observations)


# Films


def test_film_shows_an_episode(registered: None) -> None:
    observations, pictures = film(
        counting(AutoresetMode.NEXT_STEP, 9),
        ends_at_two,
        lambda seen, action: np.array([seen[0], action]),
        seed=0,
    )
    assert observations.tolist() == [[0], [1], [2]]
    assert [picture.tolist() for picture in pictures] == [[0, 0], [1, 0], [2, 1]]


@pytest.mark.parametrize("name", MODULES)
def test_pictures_of_an_episode(name: str) -> None:
    data = with_agent(MODULES[name](), Rollouts(8, 1))
    observations, pictures = data.film(data.trainer.lightning_module)
    assert len(observations) == len(pictures) > 5
    assert observations.shape[1:] == data.observation_shape
    assert all(p.shape == pictures[0].shape and p.dtype == np.uint8 for p in pictures)
    assert (pictures[0] != pictures[-1]).any()


def test_environments_draw_themselves_if_they_can(registered: None) -> None:
    data = with_agent(Environment(id="Counting-v0"), Rollouts(8, 1))
    _, pictures = data.film(data.trainer.lightning_module)
    assert [picture[0, 0, 0] for picture in pictures] == [0, 1, 2]
    data = with_agent(Environment(id="Dark-v0"), Rollouts(8, 1))
    observations, pictures = data.film(data.trainer.lightning_module)
    assert observations.flatten().tolist() == [0, 1, 2] and pictures == []


# Wrong options


def test_numbers_of_cells_become_one_hot(registered: None) -> None:
    data = with_agent(Environment(id="Numbered-v0", num_envs=2), Rollouts(3, 1))
    assert data.observation_shape == (5,)
    rollout, _ = data.train_set.players, data.train_set.players.reset(0)
    found, _ = rollout.play(uniform(1), 2)
    assert found.observations[:, 0].tolist() == [[1, 0, 0, 0, 0], [1, 0, 0, 0, 0]]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Environment(id="CartPol-v1"),
            "--data.id CartPol-v1: no such .*\nNearest: CartPole",
        ),
        (lambda: Environment(id="Painted-v0"), "the actions are Box.*\nThe agents here choose"),
        (lambda: CartPole(num_envs=0), "--data.num_envs 0: choose 1 or more"),
        (lambda: CartPole(val_episodes=0), "--data.val_episodes 0: choose 1 or more"),
        (lambda: Environment(steps_per_epoch=0), "--data.steps_per_epoch 0: choose 1 or more"),
        (lambda: GridWorld(num_envs=-1), "--data.num_envs -1: choose 1 or more"),
        (lambda: GridWorld(slip=1.5), "--data.slip 1.5: choose 0 to 1"),
        (lambda: GridWorld(slip=math.nan), "--data.slip nan: choose 0 to 1"),
        (lambda: DigitBandit(num_envs=0), "--data.num_envs 0: choose 1 or more"),
        (lambda: DigitBandit(batch_size=0), "--data.batch_size 0: a batch has at least 1 sample"),
    ],
)
def test_wrong_options(registered: None, make: Any, message: str) -> None:
    with pytest.raises(LabError) as error:
        make()
    assert re.search(message, str(error.value)) and str(error.value).count("\n") < 5


def test_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*args: Any, **options: Any) -> None:
        raise gymnasium.error.DependencyNotInstalled("box2d is not installed")

    monkeypatch.setattr(gymnasium, "make", missing)
    with pytest.raises(LabError, match="--data.id LunarLander-v3: box2d is not installed"):
        Environment(id="LunarLander-v3")
