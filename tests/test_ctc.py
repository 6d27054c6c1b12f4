"""CTC: loss, greedy decoding, alignment and beam search against brute force over all paths."""
# from week 3

import itertools
import math
from collections import defaultdict
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from lab.ctc import align, ctc_greedy, frames_needed, greedy_with_confidence
from lab.ctc_beam import beam_search
from lab.language_model import NextCharacters
from lab.models.line_ctc import ctc_losses
from lab.nets.recurrent import GRU, LSTM
from lab.nets.transformer import Transformer  # from week 4


def random_logits(*shape: int, seed: int = 0, sharp: float = 2.0) -> Tensor:
    return sharp * torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


def spelled(path: tuple[int, ...], blank: int) -> tuple[int, ...]:
    """Repeats collapsed, then blanks dropped, by the book."""
    return tuple(number for number, _ in itertools.groupby(path) if number != blank)


def all_paths(log_probs: Tensor) -> dict[tuple[int, ...], list[tuple[float, tuple[int, ...]]]]:
    """All paths of (T, V + 1) with their log probabilities, by the text that they spell."""
    frames, size = log_probs.shape
    found = defaultdict(list)
    for path in itertools.product(range(size), repeat=frames):
        score = sum(float(log_probs[place, number]) for place, number in enumerate(path))
        found[spelled(path, size - 1)].append((score, path))
    return found


def text_scores(log_probs: Tensor) -> dict[tuple[int, ...], float]:
    """The log probability of every text."""
    paths = all_paths(log_probs)
    return {
        text: math.log(math.fsum(math.exp(score) for score, _ in found))
        for text, found in paths.items()
    }


def rows_of(numbers: Tensor) -> list[tuple[int, ...]]:
    return [tuple(number for number in row if number >= 0) for row in numbers.tolist()]


def padded(*texts: tuple[int, ...]) -> Tensor:
    longest = max(map(len, texts))
    return torch.tensor([[*text, *[-100] * (longest - len(text))] for text in texts])


def test_the_loss_is_that_of_all_paths() -> None:
    logits = random_logits(4, 5, 3)
    texts = [(0, 1), (1, 1), (0,), ()]
    frames = torch.tensor([5, 4, 3, 2])
    losses, lengths = ctc_losses(logits, frames, padded(*texts))
    for row, (text, length) in enumerate(zip(texts, frames.tolist(), strict=True)):
        expected = -text_scores(logits[row, :length].log_softmax(-1))[text]
        assert losses[row].item() == pytest.approx(expected)
    assert lengths.tolist() == [2, 2, 1, 0]


def test_a_line_that_its_frames_cannot_spell_adds_nothing() -> None:
    logits = random_logits(2, 4, 3).requires_grad_()
    losses, _ = ctc_losses(logits, torch.tensor([2, 4]), padded((1, 1), (0, 1, 0)))
    assert losses[0] == 0 and losses[1] > 0
    losses.sum().backward()
    assert logits.grad is not None and logits.grad.isfinite().all()
    assert not logits.grad[0].any() and logits.grad[1].any()
    assert frames_needed([1, 1]) == 3 and frames_needed([0, 1, 0]) == 3 and frames_needed([]) == 0


def test_greedy_decoding_is_by_the_book() -> None:
    logits = random_logits(50, 30, 4, sharp=3.0)
    frames = torch.randint(0, 31, (50,), generator=torch.Generator().manual_seed(1))
    expected = [
        spelled(tuple(path[:length]), 3)
        for path, length in zip(logits.argmax(-1).tolist(), frames.tolist(), strict=True)
    ]
    numbers = ctc_greedy(logits, frames)
    assert rows_of(numbers) == expected
    assert numbers.shape == (50, max(map(len, expected)))
    assert rows_of(ctc_greedy(logits)) == [spelled(tuple(p), 3) for p in logits.argmax(-1).tolist()]
    blanks = torch.tensor([0.0, 1.0]).expand(2, 3, 2)
    assert ctc_greedy(blanks).shape == (2, 0)
    assert ctc_greedy(blanks[:, :0]).shape == (2, 0)


def test_confidence_is_the_highest_probability_of_a_character() -> None:
    # The path is 0 0 blank 0 1 1; the last frame is not the line's own.
    probs = torch.tensor(
        [[0.6, 0.1, 0.3], [0.7, 0.1, 0.2], [0.1, 0.1, 0.8], [0.5, 0.1, 0.4], [0.2, 0.5, 0.3],
         [0.0, 0.9, 0.1]]
    )  # fmt: skip
    numbers, sure = greedy_with_confidence(probs.log()[None], torch.tensor([5]))
    assert rows_of(numbers) == [(0, 0, 1)]
    torch.testing.assert_close(sure, torch.tensor([[0.7, 0.5, 0.5]]))
    logits = random_logits(9, 20, 4)
    frames = torch.tensor([20, 3, 0, 7, 9, 20, 1, 2, 15])
    numbers, sure = greedy_with_confidence(logits, frames)
    assert torch.equal(numbers, ctc_greedy(logits, frames))
    assert torch.equal(sure > 0, numbers >= 0) and sure.shape == numbers.shape
    nothing = greedy_with_confidence(torch.tensor([0.0, 1.0]).expand(2, 3, 2))
    assert [part.shape for part in nothing] == [(2, 0), (2, 0)]


@pytest.mark.parametrize("text", [(0, 1), (1, 1), (0,), (), (1, 0, 1), (0, 0, 0)])
def test_the_alignment_is_the_likeliest_path_of_its_text(text: tuple[int, ...]) -> None:
    log_probs = random_logits(5, 3, seed=len(text)).log_softmax(-1)
    _, best = max(all_paths(log_probs)[text])
    assert tuple(align(log_probs, torch.tensor(text, dtype=torch.long)).tolist()) == best


def test_a_text_that_does_not_fit_cannot_be_aligned() -> None:
    with pytest.raises(ValueError, match="2 frames cannot spell a text that needs 3"):
        align(random_logits(2, 3), torch.tensor([1, 1]))


@pytest.mark.parametrize("seed", range(8))
def test_a_full_beam_finds_the_likeliest_text(seed: int) -> None:
    logits = random_logits(3, 5, 3, seed=seed, sharp=0.7)
    frames = torch.tensor([5, 4, 1])
    # Of up to 5 of 2 characters there are 63 texts.
    numbers, scores = beam_search(logits, frames, beam=70)
    for row, length in enumerate(frames.tolist()):
        exact = text_scores(logits[row, :length].log_softmax(-1))
        best = max(exact, key=lambda text: exact[text])
        assert rows_of(numbers)[row] == best
        assert scores[row].item() == pytest.approx(exact[best])


def test_a_full_beam_adds_language_model_and_length() -> None:
    class Alternating:
        """After a character the other one is nine times as likely as the same again."""

        def begin(self, rows: int, device: torch.device) -> tuple[Tensor, Any]:
            return torch.full((rows, 2), 0.5).log().double(), torch.zeros(rows)

        def pick(self, memory: Tensor, rows: Tensor) -> Tensor:
            return memory[rows]

        def extend(self, memory: Tensor, rows: Tensor, numbers: Tensor) -> tuple[Tensor, Any]:
            # It keeps how many characters it has read, to see whether texts are picked rightly.
            memory = memory.index_add(0, rows, torch.ones(len(rows)))
            other = F.one_hot(1 - numbers, 2)
            return (0.1 + 0.8 * other.double()).log(), memory

    logits = random_logits(6, 5, 3, sharp=0.5)
    frames = torch.full((6,), 5)
    options = {"scorer": Alternating(), "lm_weight": 1.5, "length_bonus": 1.1}
    numbers, scores = beam_search(logits, frames, beam=70, **options)
    for row in range(6):
        exact = text_scores(logits[row].log_softmax(-1))
        for text in exact:
            pairs = itertools.pairwise(text)
            model = [0.5] * bool(text) + [0.9 if a != b else 0.1 for a, b in pairs]
            exact[text] += 1.5 * sum(map(math.log, model)) + 1.1 * len(text)
        best = max(exact, key=lambda text: exact[text])
        assert rows_of(numbers)[row] == best
        assert scores[row].item() == pytest.approx(exact[best], rel=1e-4)
    assert rows_of(numbers) != rows_of(beam_search(logits, frames, beam=70)[0])


def test_a_beam_finds_texts_that_are_at_least_as_likely_as_the_greedy_ones() -> None:
    logits = random_logits(20, 25, 6, sharp=1.0)
    frames = torch.randint(1, 26, (20,), generator=torch.Generator().manual_seed(1))
    losses = [
        ctc_losses(logits, frames, numbers)[0]
        for numbers in (ctc_greedy(logits, frames), beam_search(logits, frames, beam=8)[0])
    ]
    assert (losses[1] <= losses[0] + 1e-9).all() and (losses[1] < losses[0] - 0.01).any()
    # A line is read the same alone.
    together, scores = beam_search(logits, frames, beam=8)
    for row in (0, 7):
        length = frames[row : row + 1]
        alone, score = beam_search(logits[row : row + 1, : int(length)], length, beam=8)
        assert rows_of(alone)[0] == rows_of(together)[row]
        torch.testing.assert_close(score[0], scores[row])


LM_CHARACTERS = "ba "
NETS = {
    "GRU": lambda: GRU((6,), 3, width=8, embedding=4),
    "LSTM": lambda: LSTM((6,), 3, depth=2, width=8, embedding=4),
    "Transformer": lambda: Transformer((6,), 3, depth=2, width=8, heads=2),  # from week 4
}


@pytest.mark.parametrize("name", NETS)
@torch.no_grad()
def test_language_models_read_texts_side_by_side_as_they_would_alone(name: str) -> None:
    torch.manual_seed(0)
    net = NETS[name]()
    for weight in net.parameters():
        weight.mul_(5)
    model = NextCharacters(net, LM_CHARACTERS, ("a", "b", "c"), 6)
    first, memory = model.begin(3, torch.device("cpu"))
    torch.testing.assert_close(first, torch.full((3, 3), -math.log(3)))
    # Texts of rows 0 to 2: "abb", "", "c"; then they change places and go on.
    for row, number in ((0, 0), (2, 2), (0, 1), (0, 1)):
        found, memory = model.extend(memory, torch.tensor([row]), torch.tensor([number]))
    memory = model.pick(memory, torch.tensor([2, 0, 0]))
    found, memory = model.extend(memory, torch.tensor([1, 0]), torch.tensor([0, 1]))
    for row, text in ((0, "abba"), (1, " b")):
        tokens = torch.tensor([[LM_CHARACTERS.index(character) for character in text]])
        expected = net(tokens)[0, -1].log_softmax(-1)
        torch.testing.assert_close(found[row, :2], expected[[1, 0]], rtol=1e-4, atol=1e-5)
        # It does not know "c".
        assert found[row, 2].item() == pytest.approx(-math.log(3))


# >>> from week 4
@torch.no_grad()
def test_a_transformer_forgets_what_is_further_back_than_it_reads() -> None:
    torch.manual_seed(0)
    net = NETS["Transformer"]()
    model = NextCharacters(net, "ab ", "ab ", 6)
    _, memory = model.begin(1, torch.device("cpu"))
    text = [0, 1, 1, 0, 2, 0, 1, 0, 0]
    for number in text:
        found, memory = model.extend(memory, torch.tensor([0]), torch.tensor([number]))
    expected = net(torch.tensor([text[-6:]]))[0, -1].log_softmax(-1)
    torch.testing.assert_close(found[0], expected)


# <<< from week 4
def test_a_language_model_mends_what_looks_alike() -> None:
    class AfterQ:
        """After a q comes u; else all is equally likely."""

        def begin(self, rows: int, device: torch.device) -> tuple[Tensor, Any]:
            return torch.full((rows, 3), 1 / 3).log(), None

        def pick(self, memory: None, rows: Tensor) -> None:
            return None

        def extend(self, memory: None, rows: Tensor, numbers: Tensor) -> tuple[Tensor, Any]:
            after_q = torch.tensor([0.01, 0.98, 0.01])
            likely = torch.where((numbers == 0)[:, None], after_q, torch.full((3,), 1 / 3))
            return likely.log(), None

    # q is clear, then it is v rather than u.
    probs = torch.tensor(
        [[0.9, 0.02, 0.02, 0.06], [0.02, 0.02, 0.02, 0.94], [0.02, 0.4, 0.5, 0.08]]
    )
    logits, frames = probs.log()[None], torch.tensor([3])
    read = {
        weight: rows_of(beam_search(logits, frames, beam=4, scorer=AfterQ(), lm_weight=weight)[0])[
            0
        ]
        for weight in (0.0, 0.3)
    }
    assert read == {0.0: (0, 2), 0.3: (0, 1)}
    assert rows_of(ctc_greedy(logits, frames)) == [(0, 2)]
