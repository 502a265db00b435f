"""The random streams: the generator's published answers, independence, and distributions."""

import numpy as np
import pytest
import torch
from icl.kernels import philox
from icl.task import streams
from icl.task.streams import Purpose
from scipy import stats

SEEDS = torch.tensor([0, 1, 7, 2**31, 2**40 + 3, 2**63 - 1])

# Known answers of Philox4x32-10, from the kat_vectors of Random123: counter, key, output.
KNOWN = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0"),
]
ANSWERS = [
    "6627e8d5 e169c58d bc57ac4c 9b00dbd8",
    "408f276d 41c83b0e a20bc7c6 6d5451fd",
    "d16cfe09 94fdcceb 5001e420 24126ea1",
]


def numbers(text):
    return [int(word, 16) for word in text.split()]


def philox_of_integers(counter, key):
    """Philox4x32-10 in Python integers, for any counter."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        p0, p1 = philox.MULTIPLIER_0 * c0, philox.MULTIPLIER_1 * c2
        c0, c1, c2, c3 = (p1 >> 32) ^ c1 ^ k0, p1 % 2**32, (p0 >> 32) ^ c3 ^ k1, p0 % 2**32
        k0, k1 = (k0 + philox.WEYL_0) % 2**32, (k1 + philox.WEYL_1) % 2**32
    return [c0, c1, c2, c3]


@pytest.mark.parametrize(("known", "answer"), list(zip(KNOWN, ANSWERS, strict=True)))
def test_known_answers_of_the_generator(known, answer):
    """Holds the oracle of the next test to the published vectors."""
    assert philox_of_integers(*map(numbers, known)) == numbers(answer)


def test_known_answer_of_the_compiled_loop():
    words = streams.bits(torch.tensor([0]), 0, 0, 4)
    assert words.tolist() == [numbers(ANSWERS[0])]


@pytest.mark.parametrize("fill", [streams.bits, streams._philox_tensor])
def test_bits_are_the_generator_s(fill):
    """Counter: block, step, purpose, 0; key: the seed's low and high word."""
    step, n_blocks = 2**32 - 2, 9
    n = 4 * n_blocks if fill is streams.bits else n_blocks
    words = fill(SEEDS, 12, step, n)
    for r, seed in enumerate(SEEDS.tolist()):
        expected = [
            word
            for block in range(n_blocks)
            for word in philox_of_integers((block, step, 12, 0), (seed % 2**32, seed >> 32))
        ]
        assert words[r].tolist() == expected


@pytest.mark.parametrize("n", [1, 3, 4, 1000, 1003])
def test_compiled_loop_equals_tensor_operations(n):
    words = streams.bits(SEEDS, Purpose.TRAINING, 17, n)
    assert words.dtype == torch.int64
    assert words.shape == (len(SEEDS), n)
    assert torch.equal(words, streams._philox_tensor(SEEDS, 3, 17, -(-n // 4))[:, :n])


def test_draws_on_another_device_are_shaped_alike():
    seeds = SEEDS.to("meta")
    draw = (seeds, Purpose.ITEMS, 5)
    assert streams.normal(*draw, (7, 3)).shape == (len(SEEDS), 7, 3)
    assert streams.integers(*draw, (5,), 10).shape == (len(SEEDS), 5)
    rows, last = streams.integer_rows(*draw, (4, 6), 10, 6)
    assert (rows.shape, last.shape) == ((len(SEEDS), 4, 6), (len(SEEDS), 4))


def test_integer_rows_equal_tensor_operations():
    rows, last = streams.integer_rows(SEEDS, Purpose.TRAINING, 2, (5, 7), 1000, 7)
    words = streams.bits(SEEDS, Purpose.TRAINING, 2, 5 * 8).view(len(SEEDS), 5, 8)
    assert torch.equal(rows, (words[..., :-1] * 1000) >> 32)
    assert torch.equal(last, (words[..., -1] * 7) >> 32)


@pytest.mark.parametrize("shape", [(1,), (63, 5), (20001,)])
def test_normal_equals_tensor_operations(shape):
    got = streams.normal(SEEDS, Purpose.ITEMS, 3, shape)
    n_pairs = -(-np.prod(shape) // 2)
    pairs = streams.uniform(SEEDS, Purpose.ITEMS, 3, (2, n_pairs))
    expected = streams._normal_tensor(pairs)[:, : np.prod(shape)].view(got.shape)
    torch.testing.assert_close(got, expected, rtol=1e-6, atol=2e-6)


def test_normal_is_exact_to_float32():
    """Both transforms against float64, from the words themselves."""
    n = 100_000
    words = streams.bits(SEEDS[:1], Purpose.ITEMS, 0, n).numpy().astype(np.float64)[0]
    first, second = (words.astype(np.float32).astype(float) / 2**32).reshape(2, -1)
    radius = np.sqrt(-2 * np.log(first))
    exact = np.concatenate(
        [radius * np.cos(2 * np.pi * second), radius * np.sin(2 * np.pi * second)]
    )
    got = streams.normal(SEEDS[:1], Purpose.ITEMS, 0, (n,))[0].numpy()
    assert np.abs(got - exact).max() < 2e-6


def test_extreme_words_give_finite_normals():
    words = np.array([[0, 2**32 - 1, 1, 2**31, 0, 2**32 - 1, 2**32 - 1, 0]], dtype=np.uint32)
    out = np.empty((1, 8), dtype=np.float32)
    philox.fill_normal(words, out)
    assert np.isfinite(out).all()
    assert np.abs(out).max() < 7


def test_a_draw_depends_on_nothing_else():
    draw = (Purpose.ITEMS, 4, (50,))
    together, alone = streams.normal(SEEDS, *draw), streams.normal(SEEDS[2:3], *draw)
    assert torch.equal(together[2], alone[0])
    assert torch.equal(together, streams.normal(SEEDS, *draw))
    longer = streams.bits(SEEDS, Purpose.ITEMS, 4, 400)
    assert torch.equal(longer[:, :100], streams.bits(SEEDS, Purpose.ITEMS, 4, 100))


def test_seeds_purposes_and_steps_are_independent():
    """Each pair of streams, as bits: no word in common place, correlation that of chance."""
    seeds = torch.tensor([0, 1, 2, 3])
    n = 4000
    drawn = torch.cat([streams.bits(seeds, p, step, n) for p in Purpose for step in (0, 1, 1000)])
    assert (drawn[:, None, :100] == drawn[None, :, :100]).sum() == len(drawn) * 100
    correlation = torch.corrcoef(drawn.double())
    off_diagonal = correlation[~torch.eye(len(drawn), dtype=torch.bool)]
    assert off_diagonal.abs().max() < 5 / n**0.5
    assert abs(off_diagonal.std().item() * n**0.5 - 1) < 0.05


def test_uniform_distribution():
    x = streams.uniform(torch.tensor([11]), Purpose.ITEMS, 0, (200_000,))[0].double().numpy()
    assert stats.kstest(x, "uniform").pvalue > 0.01
    assert (x > 0).all()


def test_normal_distribution():
    x = streams.normal(torch.tensor([11]), Purpose.ITEMS, 0, (200_000,))[0].double().numpy()
    assert stats.kstest(x, "norm").pvalue > 0.01
    assert abs(x.mean()) < 3 / len(x) ** 0.5
    assert abs(x.var() - 1) < 3 * (2 / len(x)) ** 0.5
    assert abs(stats.skew(x)) < 3 * (6 / len(x)) ** 0.5
    assert abs(stats.kurtosis(x)) < 3 * (24 / len(x)) ** 0.5
    cosines, sines = x.reshape(2, -1)
    assert abs(np.corrcoef(cosines, sines)[0, 1]) < 3 / len(cosines) ** 0.5
    assert abs(np.corrcoef(cosines**2, sines**2)[0, 1]) < 3 / len(cosines) ** 0.5


@pytest.mark.parametrize("high", [2, 3, 1000])
def test_integers_are_uniform(high):
    x = streams.integers(torch.tensor([11]), Purpose.TRAINING, 0, (100_000,), high)[0]
    counts = torch.bincount(x, minlength=high)
    assert len(counts) == high
    assert stats.chisquare(counts).pvalue > 0.01
