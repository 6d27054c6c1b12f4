"""Text token by token: nets that read bit by bit, the draw of a token, and causality."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lab.nets.attention import causal_attention, rotate  # from week 4
from lab.nets.decoder import Decoder  # from week 4
from lab.nets.recurrent import GRU, LSTM
from lab.nets.transformer import Transformer  # from week 4
from lab.sampling import choose, generate

CONTEXT, TOKENS = 12, 7
NETS: dict[str, Any] = {
    "GRU": partial(GRU, width=10, embedding=4),
    "LSTM": partial(LSTM, width=8, embedding=4, depth=2),
    "Transformer": partial(Transformer, depth=2, width=16, heads=2),  # from week 4
}
every_net = pytest.mark.parametrize("name", NETS)


def built(name: str) -> Any:
    """A net with strong opinions, so that its tokens tell differences."""
    torch.manual_seed(1)
    net = NETS[name]((CONTEXT,), TOKENS).double().eval()
    with torch.no_grad():
        weight = net.tokens if isinstance(net.tokens, Tensor) else net.logits.weight
        weight.mul_(30)
    return net


class ReadsAnew:
    """The same net without a cache: it reads all that it may see at each step."""

    def __init__(self, net: Any) -> None:
        self.net = net
        self.start = getattr(net, "start", lambda length: 0)

    def step(self, tokens: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        text = tokens if state is None else torch.cat([state, tokens], 1)
        return self.net(text[:, self.start(text.shape[1]) :])[:, -1], text


@every_net
@pytest.mark.parametrize("prompt", [1, 5, 12, 13, 40])
def test_cached_sampling_writes_the_same_as_uncached(name: str, prompt: int) -> None:
    net = built(name)
    tokens = torch.randint(TOKENS, (3, prompt), generator=torch.Generator().manual_seed(prompt))
    # Several times the context.
    options: dict[str, Any] = {"length": 50, "top_k": 4}
    first, second = (
        generate(steps, tokens, **options, generator=torch.Generator().manual_seed(2))
        for steps in (net, ReadsAnew(net))
    )
    assert first.shape == (3, 50) and torch.equal(first, second)
    assert len(first.unique()) > 2


@every_net
def test_steps_give_the_logits_of_the_whole_text(name: str) -> None:
    net = built(name)
    tokens = torch.randint(TOKENS, (2, CONTEXT))
    whole = net(tokens)
    for cuts in ([1] * CONTEXT, [5, 7], [3, 1, 8]):
        state, end = None, 0
        for size in cuts:
            logits, state = net.step(tokens[:, end : end + size], state)
            end += size
            torch.testing.assert_close(logits, whole[:, end - 1])


@every_net
def test_no_position_sees_those_after_it(name: str) -> None:
    net = built(name)
    tokens = torch.randint(TOKENS, (1, CONTEXT))
    embedded: Tensor
    weight = net.tokens if isinstance(net.tokens, Tensor) else net.tokens.weight
    embedded = nn.functional.embedding(tokens, weight.detach())

    def logits(x: Tensor) -> Tensor:
        if hasattr(net, "trunk"):
            return net.trunk(x)
        return net.logits(net.cells(x)[0])

    jacobian = torch.autograd.functional.jacobian(logits, embedded)[0, :, :, 0].abs().sum((1, 3))
    assert jacobian.shape == (CONTEXT, CONTEXT)
    assert (jacobian.triu(1) == 0).all()
    assert (jacobian.tril() > 0).sum() == CONTEXT * (CONTEXT + 1) / 2


# >>> from week 4
def test_the_window_of_a_transformer_is_never_too_long_nor_too_short() -> None:
    for context in (1, 2, 3, 12, 13):
        net = Transformer((context,), TOKENS, depth=1, width=8, heads=1)
        for length in range(1, 60):
            seen = length - net.start(length)
            assert min(length, context - max(context // 2, 1) + 1) <= seen <= context
        assert net.start(context) == 0


def test_attention_is_that_of_the_formula() -> None:
    query, key, value = torch.randn(3, 2, 4, 6, 8, dtype=torch.double)
    scores = query @ key.transpose(-1, -2) / 8**0.5
    scores = scores.masked_fill(torch.ones(6, 6).triu(1).bool(), -torch.inf)
    expected = scores.softmax(-1) @ value
    for last in (1, 2, 6):
        found = causal_attention(query[:, :, -last:], key, value)
        torch.testing.assert_close(found, expected[:, :, -last:])


def test_turned_vectors_see_only_how_far_apart_they_are() -> None:
    trunk = Decoder(16, depth=1, heads=1, length=20).double()
    query, key = torch.randn(2, 1, 1, 1, 16, dtype=torch.double)

    def product(here: int, there: int) -> Tensor:
        first = rotate(query, trunk.cos[here : here + 1], trunk.sin[here : here + 1])
        return (
            first * rotate(key, trunk.cos[there : there + 1], trunk.sin[there : there + 1])
        ).sum()

    torch.testing.assert_close(product(3, 1), product(19, 17), rtol=1e-5, atol=1e-5)
    assert (product(3, 1) - product(4, 1)).abs() > 1e-3
    torch.testing.assert_close(product(5, 5), (query * key).sum(), rtol=1e-5, atol=1e-5)


def test_embeddings_are_tied_and_all_weights_are_matrices() -> None:
    net = Transformer((8,), 5, depth=2, width=16, heads=2)
    shapes = {name: tuple(weight.shape) for name, weight in net.named_parameters()}
    assert sum(5 in shape for shape in shapes.values()) == 1
    assert all(len(shape) == 2 for shape in shapes.values())
    assert "trunk.cos" not in net.state_dict()


def test_more_positions_than_there_is_room_for_are_refused() -> None:
    net = Transformer((8,), 5, depth=1, width=8, heads=1)
    with pytest.raises(ValueError, match="9 positions, but this net was built to read 8"):
        net(torch.zeros(1, 9, dtype=torch.long))


# <<< from week 4
@pytest.mark.parametrize(
    ("net", "options", "message"),
    [
        # >>> from week 4
        (Transformer, {"width": 20, "heads": 3}, "--model.net.width 20: choose a multiple of 6"),
        (Transformer, {"heads": 0}, "--model.net.heads 0"),
        (Transformer, {"depth": 0}, "--model.net.depth 0"),
        (Transformer, {"dropout": 1.0}, "--model.net.dropout 1.0"),
        # <<< from week 4
        (GRU, {"width": 0}, "--model.net.width 0"),
        (GRU, {"depth": 0}, "--model.net.depth 0"),
        (LSTM, {"embedding": 0}, "--model.net.embedding 0"),
        (LSTM, {"dropout": -1.0}, "--model.net.dropout -1.0"),
    ],
)
def test_options_out_of_range_are_named(net: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        net((8,), 5, **options)


# The draw of one token


def drawn(logits: list[float], count: int = 20_000, **options: Any) -> Tensor:
    """Shares of the tokens in many draws."""
    generator = torch.Generator().manual_seed(0)
    tokens = choose(torch.tensor([logits] * count), generator=generator, **options)
    assert tokens.shape == (count, 1)
    return torch.bincount(tokens.flatten(), minlength=len(logits)) / count


LOGITS = [0.1, 2.0, 1.0, -3.0, 1.5]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_shares_are_the_softmax_at_a_temperature(temperature: float) -> None:
    expected = (torch.tensor(LOGITS) / temperature).softmax(-1)
    torch.testing.assert_close(drawn(LOGITS, temperature=temperature), expected, atol=0.015, rtol=0)


def test_temperature_zero_takes_the_likeliest() -> None:
    logits = torch.tensor([LOGITS, LOGITS[::-1]])
    assert choose(logits, temperature=0).tolist() == [[1], [3]]


def test_top_k_draws_from_the_k_likeliest() -> None:
    kept = torch.tensor([0.0, 2.0, 0.0, 0.0, 1.5])
    expected = kept.masked_fill(kept == 0, -torch.inf).softmax(-1)
    torch.testing.assert_close(drawn(LOGITS, top_k=2), expected, atol=0.015, rtol=0)
    assert drawn([0.0] * 5, top_k=3).count_nonzero() == 3
    torch.testing.assert_close(
        drawn(LOGITS, top_k=99), torch.tensor(LOGITS).softmax(-1), atol=0.015, rtol=0
    )


@pytest.mark.parametrize(
    ("top_p", "kept"),
    [(0.01, [1]), (0.39, [1]), (0.6, [1, 4]), (0.8, [1, 4, 2]), (1.0, [0, 1, 2, 3, 4])],
)
def test_top_p_draws_from_the_smallest_set_with_that_probability(
    top_p: float, kept: list[int]
) -> None:
    # About 0.07, 0.47, 0.17, 0.003 and 0.28.
    probabilities = torch.tensor(LOGITS).softmax(-1)
    expected = torch.zeros(5)
    expected[kept] = probabilities[kept] / probabilities[kept].sum()
    torch.testing.assert_close(drawn(LOGITS, top_p=top_p), expected, atol=0.015, rtol=0)


def test_rows_are_drawn_on_their_own() -> None:
    logits = torch.eye(4) * 100
    for options in ({}, {"top_k": 1}, {"top_p": 0.5}, {"temperature": 0}):
        assert choose(logits, **options).flatten().tolist() == [0, 1, 2, 3]  # type: ignore[arg-type]
