"""Linear CKA against a second formula, and its properties."""
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from auglocal_mm.lab.depth.similarity import Similarity, chance_cka, compare, linear_cka
from auglocal_mm.lab.depth.similarity_chart import similarity_chart, summary
from auglocal_mm.lab.depth.unit_features import centred_gram


def normal(n, p, seed):
    return torch.randn(n, p, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def cka(x, y):
    return linear_cka(centred_gram([x]), centred_gram([y]))


def hsic(k, l):  # noqa: E741
    """The estimator as the paper writes it: tr(KHLH) / (n − 1)²."""
    n = len(k)
    h = torch.eye(n, dtype=k.dtype) - torch.full((n, n), 1 / n, dtype=k.dtype)
    return torch.trace(k @ h @ l @ h) / (n - 1) ** 2


def oracle(x, y):
    k, l = x @ x.T, y @ y.T  # noqa: E741
    return float(hsic(k, l) / (hsic(k, k) * hsic(l, l)).sqrt())


def feature_oracle(x, y):
    """The same in feature space: ‖Ȳᵀ X̄‖² / (‖X̄ᵀX̄‖ · ‖ȲᵀȲ‖)."""
    x, y = x - x.mean(dim=0), y - y.mean(dim=0)
    return float((y.T @ x).norm() ** 2 / ((x.T @ x).norm() * (y.T @ y).norm()))


sizes = st.tuples(st.integers(2, 12), st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))


@given(sizes)
def test_it_equals_both_written_out_formulas_and_lies_between_0_and_1(size):
    n, p, q, seed = size
    x, y = normal(n, p, seed) + 3, normal(n, q, seed + 100)
    assert cka(x, y) == pytest.approx(oracle(x, y), abs=1e-9)
    assert cka(x, y) == pytest.approx(feature_oracle(x, y), abs=1e-9)
    assert -1e-12 <= cka(x, y) <= 1 + 1e-12
    assert cka(x, y) == pytest.approx(cka(y, x), abs=1e-12)


def test_rotations_scales_and_shifts_change_nothing_but_other_maps_do():
    x, y = normal(40, 6, 0), normal(40, 6, 1)
    y = y + x @ normal(6, 6, 2)
    rotation = torch.linalg.qr(normal(6, 6, 3))[0]
    assert cka(x, x) == pytest.approx(1, abs=1e-12)
    assert cka(x, -2.5 * x @ rotation + 7) == pytest.approx(1, abs=1e-12)
    assert cka(4 * x @ rotation, y) == pytest.approx(cka(x, y), abs=1e-12)
    assert 0.1 < cka(x, y) < 0.95
    stretched = x * torch.tensor([1.0, 1, 1, 1, 1, 50])
    assert cka(x, stretched) < 0.6


def test_independent_features_are_near_what_chance_gives():
    """For normal features and n ≫ p that is √(p·q) / n."""
    n, p, q = 800, 4, 9
    found = torch.tensor([cka(normal(n, p, seed), normal(n, q, seed + 50)) for seed in range(12)])
    assert found.mean() == pytest.approx((p * q) ** 0.5 / n, rel=0.35)
    expected = chance_cka(centred_gram([normal(n, p, 0)]), centred_gram([normal(n, q, 50)]))
    assert expected == pytest.approx((p * q) ** 0.5 / n, rel=0.05)


def test_chance_is_the_mean_over_all_shuffles():
    from itertools import permutations
    x, y = normal(5, 3, 0), normal(5, 40, 1)
    shuffled = [cka(x, y[list(order)]) for order in permutations(range(5))]
    expected = chance_cka(centred_gram([x]), centred_gram([y]))
    assert sum(shuffled) / len(shuffled) == pytest.approx(expected, abs=1e-9)
    assert expected > 0.5  # few images, many features


def test_batches_change_nothing():
    x = (normal(30, 5, 0) + 100).float()
    whole = centred_gram([x.double()])
    parts = centred_gram([x[:7], x[7:8], x[8:]])
    torch.testing.assert_close(parts, whole, rtol=1e-5, atol=1e-4)


def test_features_that_do_not_vary_resemble_nothing():
    assert cka(torch.ones(5, 2, dtype=torch.float64), normal(5, 2, 0)) == 0
    assert chance_cka(torch.zeros(5, 5), torch.eye(5)) == 0


def test_compares_every_unit_with_every_other():
    grams = {name: centred_gram([normal(20, 3, seed)]) for seed, name in enumerate('abc')}
    others = {name: grams[name] for name in 'ca'}
    found = compare(grams, others)
    assert (found.rows, found.columns, found.images) == (('a', 'b', 'c'), ('c', 'a'), 20)
    assert found.values[0][1] == pytest.approx(1) and found.values[2][0] == pytest.approx(1)
    assert found.values[1][0] == linear_cka(grams['b'], grams['c'])
    assert found.diagonal is None and compare(grams, grams).diagonal == pytest.approx(
        dict.fromkeys('abc', 1.0))
    with pytest.raises(ValueError, match='of 3, 20 images'):
        compare(grams, {'x': torch.eye(3)})


def test_the_picture_says_its_diagonal_or_best_matches(tmp_path):
    names = tuple(f'layer{i}' for i in range(55))
    values = tuple(tuple(1 - abs(i - j) / 60 - 0.1 * (i == j == 7) for j in range(55))
                   for i in range(55))
    same = Similarity(names, names, values, values, 512)
    assert summary(same).startswith('Same unit: mean 1.00, lowest 0.90 at layer7.')
    other = Similarity(names, names[:-1], tuple(row[:-1] for row in values), values, 512)
    assert summary(other).startswith('Best match of a unit: mean 1.00, lowest 0.98 at layer')
    chart = similarity_chart(same, rows='AugLocal', columns='BP')
    axes, scale = chart.figure.axes
    assert axes.images[0].get_clim() == (0, 1) and axes.images[0].get_cmap().name == 'viridis'
    shown = [tick.get_text() for tick in axes.get_xticklabels()]
    assert len(shown) == 20 and (shown[0], shown[-1]) == ('layer0', 'layer54')
    png, svg = chart.save(tmp_path / 'new')
    assert png.read_bytes().startswith(b'\x89PNG') and '<svg' in svg.read_text()
    assert sorted(path.name for path in png.parent.iterdir()) == [
        'similarity.png', 'similarity.svg']
