"""Writing down images: cached against uncached, rows that leave, beams against brute force, exports."""
# from week 4

import itertools
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lab.nets.decoder import Decoder
from lab.nets.line_cnn_transformer import LineCNNTransformer
from lab.nets.resnet_transformer import ResNetTransformer  # from week 6
from lab.nets.text_decoder import TextDecoder, sine_positions
from lab.transcribing import Transcripts, _Found, beam_search, transcribe

SMALL = {"channels": 4, "width": 16, "heads": 2, "depth": 2, "length": 16}
NETS: dict[str, Any] = {
    "ResNetTransformer": partial(ResNetTransformer, **SMALL),  # from week 6
    "LineCNNTransformer": partial(LineCNNTransformer, features=12, layers=1, **SMALL),
}
every_net = pytest.mark.parametrize("name", NETS)
END = 4


def built(name: str, seed: int = 0) -> Any:
    """A net that says different things of different images, of different lengths."""
    torch.manual_seed(seed)
    net = NETS[name]((1, 16, 24), END + 1).double().eval()
    with torch.no_grad():
        for weight in net.decoder.parameters():
            weight.normal_()
    return net


def pictures(count: int = 8) -> tuple[Tensor, Tensor]:
    """Images (B, 1, 16, 24) and their true sizes, beyond which they are paper."""
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(count, 1, 16, 24, generator=generator).double() ** 3
    widths = torch.randint(9, 25, (count,), generator=generator)
    sizes = torch.stack([torch.full_like(widths, 16), widths], 1)
    return images * (torch.arange(24) < widths[:, None])[:, None, None], sizes


@torch.no_grad()
def read_anew(net: Any, image: Tensor, length: int) -> tuple[list[int], list[float]]:
    """Tokens and probabilities of one image (1, H, W), all tokens being read again for each."""
    tokens: list[int] = []
    chances: list[float] = []
    while len(tokens) < length:
        logits = net(image[None], torch.tensor([[END, *tokens]]))[0, -1]
        best = int(logits.argmax())
        if best == END:
            break
        tokens.append(best)
        chances.append(float(logits.softmax(-1)[best]))
    return tokens, chances


def rows(found: Transcripts) -> list[list[int]]:
    """The tokens of each text, without what follows its end."""
    return [[token for token in row if token != END] for row in found.tokens.tolist()]


@every_net
def test_a_batch_is_read_as_each_image_is_alone_without_cache_or_padding(name: str) -> None:
    net, length = built(name), 12
    images, sizes = pictures()
    found = transcribe(net, images, sizes, end=END, length=length)
    pairs = [
        read_anew(net, image[:, :, : int(width)], length)
        for image, (_, width) in zip(images, sizes, strict=True)
    ]
    lengths = [len(tokens) for tokens, _ in pairs]
    assert len(set(lengths)) > 2 and min(lengths) < max(lengths), "they are to end one by one"
    assert rows(found) == [tokens for tokens, _ in pairs]
    assert found.tokens.shape == found.probabilities.shape == (len(images), max(lengths))
    for place, (tokens, chances) in enumerate(pairs):
        got = found.probabilities[place]
        torch.testing.assert_close(got[: len(tokens)], torch.tensor(chances))
        assert (got[len(tokens) :] == 1).all()
        assert (found.tokens[place, len(tokens) :] == END).all()


class Table(nn.Module):
    """A net whose log probabilities are drawn at random for each image, place and last token.

    Its state is its own: which image each row is of, and how far it is.
    """

    def __init__(self, images: int, length: int, tokens: int, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        logits = torch.randn(images, length, tokens + 1, tokens + 1, generator=generator)
        self.table = (2 * logits).log_softmax(-1)
        self.decoder = self
        self.steps: list[int] = []

    def encode(self, images: Tensor, sizes: Tensor | None) -> tuple[Tensor, None]:
        return images[:, 0, 0, :1], None

    def start(self, memory: Tensor, mask: Any, room: int) -> "Table":
        self.images, self.place = memory[:, 0].long(), 0
        return self

    def step(self, tokens: Tensor, cache: Any) -> Tensor:
        self.steps.append(len(tokens))
        self.place += 1
        return self.table[self.images, self.place - 1, tokens[:, 0]]

    def keep(self, rows: Tensor) -> None:
        self.images = self.images[rows]

    def swap(self, rows: Tensor) -> None:
        assert torch.equal(self.images, self.images[rows]), (
            "only beginnings of one image change places"
        )

    def chance(self, image: int, text: tuple[int, ...], end: int) -> float:
        """Log probability of a text: of its tokens, and of its end unless it is as long as can be."""
        ends = (end,) if len(text) < self.table.shape[1] else ()
        pairs = zip((end, *text), (*text, *ends), strict=False)
        terms = [self.table[image, place, a, b] for place, (a, b) in enumerate(pairs)]
        return float(sum(terms))


def numbered(count: int) -> Tensor:
    """Images that hold nothing but their number."""
    return torch.arange(float(count)).view(-1, 1, 1, 1)


@pytest.mark.parametrize("seed", range(3))
def test_a_full_beam_finds_the_likeliest_of_all_texts(seed: int) -> None:
    images, length, tokens = 6, 4, 3
    net = Table(images, length, tokens, seed)
    texts = [
        text for size in range(length + 1) for text in itertools.product(range(tokens), repeat=size)
    ]
    wide = transcribe(net, numbered(images), end=tokens, length=length, beam=tokens**length)
    narrow = transcribe(net, numbered(images), end=tokens, length=length)
    better = 0
    for image in range(images):
        best = max(texts, key=lambda text: net.chance(image, text, tokens))
        found, greedy = (
            tuple(token for token in read.tokens[image].tolist() if token != tokens)
            for read in (wide, narrow)
        )
        assert found == best
        better += found != greedy
        spelled = wide.probabilities[image].log().sum()
        end = net.table[image, len(best), (tokens, *best)[-1], tokens] if len(best) < length else 0
        assert float(spelled + end) == pytest.approx(net.chance(image, best, tokens), abs=1e-4)
    assert better > 0, "then a search would be of no use"


def test_images_leave_the_batch_when_their_text_has_ended() -> None:
    net = Table(images=6, length=5, tokens=3)
    found = transcribe(net, numbered(6), end=3, length=5)
    lengths = (found.tokens != 3).sum(1)
    # A text that ends takes one step more than it has tokens; the longest possible does not.
    assert net.steps == [n for place in range(5) if (n := int((lengths >= place).sum()))]
    net.steps = []
    transcribe(net, numbered(6), end=3, length=5, beam=4)
    assert net.steps[0] == 24 and net.steps == sorted(net.steps, reverse=True)
    assert net.steps[-1] < 24 and all(count % 4 == 0 for count in net.steps)


def test_a_beam_of_one_is_greedy() -> None:
    net = Table(images=20, length=6, tokens=3)
    greedy = transcribe(net, numbered(20), end=3, length=6)
    found = _Found(20, 6, 3, torch.device("cpu"))
    cache = net.start(numbered(20)[:, 0, 0], None, 6)
    beam_search(lambda tokens: net.step(tokens, cache), cache, found, 1)
    longest = greedy.tokens.shape[1]
    assert torch.equal(found.tokens[:, :longest], greedy.tokens)


@every_net
def test_beams_read_a_batch_as_each_image_alone(name: str) -> None:
    net = built(name)
    images, sizes = pictures(5)
    options: dict[str, Any] = {"end": END, "length": 6, "beam": 3}
    together = transcribe(net, images, sizes, **options)
    alone = [
        rows(transcribe(net, images[[place], :, :, : int(width)], **options))[0]
        for place, (_, width) in enumerate(sizes)
    ]
    assert rows(together) == alone and len({tuple(text) for text in alone}) > 1


@pytest.mark.parametrize("beam", [1, 3])
def test_some_tokens_are_never_read(beam: int) -> None:
    net = Table(images=10, length=6, tokens=4)
    options: dict[str, Any] = {"end": 4, "length": 6, "beam": beam}
    free = transcribe(net, numbered(10), **options)
    bound = transcribe(net, numbered(10), never=(0, 2), **options)
    assert {0, 2} < set(free.tokens.flatten().tolist())
    assert set(bound.tokens.flatten().tolist()) == {1, 3, 4}
    endless = transcribe(net, numbered(10), never=(4,), **options)
    assert endless.tokens.shape == (10, 6) and not (endless.tokens == 4).any()


# >>> from week 6
def test_nothing_is_read_in_no_image() -> None:
    net = built("ResNetTransformer")
    found = transcribe(net, torch.zeros(0, 1, 16, 24).double(), end=END, length=5)
    assert found.tokens.shape == found.probabilities.shape == (0, 0)


# <<< from week 6
# The decoder


# >>> from week 6
@torch.no_grad()
def test_exported_steps_read_what_the_net_reads() -> None:
    net = built("ResNetTransformer")
    image = pictures(1)[0]
    memory, _ = net.encode(image)
    known = net.decoder.memory_tensors(memory)

    class Step(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.decoder = net.decoder

        def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
            return self.decoder.step_tensors(*given)

    dims = (torch.export.Dim("read", min=0, max=15), torch.export.Dim("places", min=1, max=99))
    some = torch.zeros(2, 1, 2, 3, 8).double()
    read, places = ({3: dim} for dim in dims)
    program = torch.export.export(
        Step(),
        (torch.tensor([[END]]), some, some.clone(), *known),
        dynamic_shapes=((None, read, read, places, places),),
    ).module()
    for width in (24, 13):
        image = pictures(1)[0][..., :width]
        known = net.decoder.memory_tensors(net.encode(image)[0])
        tokens, kept = [END], (some[:, :, :, :0], some[:, :, :, :0])
        for _ in range(6):
            logits, *kept = program(torch.tensor([tokens[-1:]]), *kept, *known)
            assert kept[0].shape == kept[1].shape == (2, 1, 2, len(tokens), 8)
            tokens.append(int(logits[:, :END].argmax()))
        free = transcribe(net, image, end=END, length=6, never=(END,))
        assert free.tokens.tolist() == [tokens[1:]]


# <<< from week 6
def test_memory_is_looked_at_where_there_is_something() -> None:
    torch.manual_seed(0)
    decoder = TextDecoder(5, memory=6, depth=2, width=16, heads=2, length=9).double()
    memory, mask = torch.randn(3, 7, 6).double(), torch.rand(3, 7) < 0.6
    mask[:, 0] = True
    tokens = torch.randint(5, (3, 4))
    logits, looks = decoder(tokens, memory, mask), decoder.looks(tokens, memory, mask)
    assert looks.shape == (3, 4, 7)
    torch.testing.assert_close(looks.sum(2), torch.ones(3, 4).double())
    assert ((looks > 0) == mask[:, None]).all()
    other = memory.where(mask[..., None], 9.0)
    torch.testing.assert_close(decoder(tokens, other, mask), logits)
    for row in range(3):
        few = decoder(tokens[[row]], memory[[row]][:, mask[row]])
        torch.testing.assert_close(few, logits[[row]])
        torch.testing.assert_close(
            decoder.looks(tokens[[row]], memory[[row]][:, mask[row]])[0], looks[row][:, mask[row]]
        )
    assert not any(module._forward_hooks for module in decoder.modules())


def test_cross_attention_is_that_of_the_formula() -> None:
    torch.manual_seed(0)
    trunk = Decoder(8, depth=1, heads=2, length=4, memory=5).double()
    cross = trunk.blocks[0].cross
    x, memory = torch.randn(2, 3, 8).double(), torch.randn(2, 6, 5).double()
    query = cross.query(x).view(2, 3, 2, 4)
    key, value = (part.view(2, 6, 2, 4) for part in cross.key_value(memory).chunk(2, -1))
    weights = (torch.einsum("bthd,bnhd->bhtn", query, key) / 2).softmax(-1)
    mixed = torch.einsum("bhtn,bnhd->bthd", weights, value).reshape(2, 3, 8)
    known = trunk.remember(memory)
    found = cross(x, known.keys[0], known.values[0], None)
    torch.testing.assert_close(found, mixed @ cross.mix.weight.T)
    torch.testing.assert_close(cross.weights(x, known.keys[0], None), weights.mean(1))


# >>> from week 6
def test_no_token_sees_those_after_it_and_all_see_the_image() -> None:
    net = built("ResNetTransformer")
    images, tokens = pictures(1)[0], torch.tensor([[END, 0, 1, 2, 3, 0]])
    before = net(images, tokens)
    for place in range(1, 6):
        other = tokens.clone()
        other[0, place:] = (other[0, place:] + 1) % END
        after = net(images, other)
        torch.testing.assert_close(after[:, :place], before[:, :place])
        assert ((after - before)[:, place:].abs().amax(2) > 1e-6).all()
    assert ((net(images.flip(3), tokens) - before).abs().amax(2) > 1e-6).all()


# <<< from week 6
def test_waves_tell_all_places_apart() -> None:
    waves = sine_positions(torch.arange(1000), 32)
    assert waves.shape == (1000, 32)
    torch.testing.assert_close(waves.square().mean(1), torch.ones(1000))
    assert (torch.cdist(waves, waves) + 9 * torch.eye(1000)).min() > 0.2
    assert sine_positions(torch.arange(3), 5).shape == (3, 5)
