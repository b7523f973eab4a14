import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from auglocal_mm.lab.depth.linear_probe import fit_probe


def made(n=60, c=5, classes=3, seed=0, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    centres = 1.5 * torch.randn(classes, c, generator=generator)
    labels = torch.randint(classes, (n,), generator=generator)
    return scale * (centres[labels] + torch.randn(n, c, generator=generator)) + 4, labels


@pytest.mark.parametrize('l2', [1e-1, 1e-3])
def test_it_is_scikit_learns_logistic_regression(l2):
    linear_model = pytest.importorskip('sklearn.linear_model')
    features, labels = made()
    probe = fit_probe(features, labels, classes=3, l2=l2)
    x = ((features.double() - probe.mean) / probe.scale).numpy()
    assert x.mean(axis=0) == pytest.approx(0, abs=1e-9) and x.std(axis=0) == pytest.approx(1)
    # Its objective is the sum over images, with the norm's half.
    oracle = linear_model.LogisticRegression(C=1 / (len(x) * l2), tol=1e-9, max_iter=5000)
    oracle.fit(x, labels.numpy())
    torch.testing.assert_close(probe.weight, torch.from_numpy(oracle.coef_), atol=2e-4, rtol=1e-3)
    asked, answers = made(seed=1)
    asked_x = ((asked.double() - probe.mean) / probe.scale).numpy()
    assert probe.accuracy(asked, answers) == pytest.approx(
        100 * oracle.score(asked_x, answers.numpy()))


@settings(max_examples=8)
@given(st.floats(1e-3, 1e3), st.integers(0, 9))
def test_scale_and_shift_of_features_do_not_matter(scale, seed):
    features, labels = made(n=30, seed=seed)
    plain = fit_probe(features, labels, classes=3)
    scaled = fit_probe(features.double() * scale - 2, labels, classes=3)
    torch.testing.assert_close(plain.logits(features), scaled.logits(
        features.double() * scale - 2), atol=1e-2, rtol=1e-2)


def test_equal_features_give_equal_probes_and_a_constant_feature_is_harmless():
    features, labels = made()
    features[:, 2] = 7.0
    first, second = (fit_probe(features, labels, classes=3) for _ in range(2))
    assert torch.equal(first.weight, second.weight) and torch.isfinite(first.weight).all()
    assert first.accuracy(features, labels) > 60


def test_a_class_without_training_images_is_allowed():
    features, labels = made(classes=2)
    assert fit_probe(features, labels, classes=4).weight.shape == (4, 5)


@pytest.mark.parametrize(('features', 'labels', 'l2', 'said'), [
    (torch.ones(3, 2), torch.zeros(2), 1e-3, r'got \(3, 2\) and 2 labels'),
    (torch.ones(3), torch.zeros(3), 1e-3, 'N×C'),
    (torch.ones(0, 2), torch.zeros(0), 1e-3, 'N at least 1'),
    (torch.ones(3, 2), torch.zeros(3), 0.0, 'l2 must be above 0')])
def test_refuses_what_cannot_be_fitted(features, labels, l2, said):
    with pytest.raises(ValueError, match=said):
        fit_probe(features, labels.long(), classes=2, l2=l2)
