"""Each loss against a reference that is written another way, and at its edges."""
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import (
    MEAN,
    STD,
    contrastive_reference,
    reconstruction_reference,
    similarity_reference,
)

from auglocal_mm.losses import (
    ReconstructionLoss,
    SimilarityMatchingLoss,
    SupervisedContrastiveLoss,
)

SEEDS = st.integers(0, 10_000)


def random(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.integers(1, 6), st.integers(2, 5), st.integers(1, 4), st.booleans())
def test_similarity_matching(seed, batch, channels, side, soft):
    loss = SimilarityMatchingLoss(channels).double()
    features = random(batch, channels, side, side + 1, seed=seed).requires_grad_()
    scores = random(batch, 4, seed=seed + 1)
    scores = scores.softmax(1) if soft else torch.eye(4, dtype=torch.float64)[scores.argmax(1)]
    expected = similarity_reference(features, scores, loss.conv.weight)
    torch.testing.assert_close(loss(features, scores), expected, rtol=1e-9, atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.integers(2, 4), st.integers(1, 9), st.integers(1, 9))
def test_reconstruction(seed, channels, height, width):
    loss = ReconstructionLoss(channels, mean=MEAN, std=STD).double()
    features = random(3, channels, height, width, seed=seed)
    images = random(3, 3, 12, 9, seed=seed + 1)
    expected = reconstruction_reference(features, images, loss.decoder, MEAN, STD)
    torch.testing.assert_close(loss(features, images), expected, rtol=1e-9, atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.integers(1, 8), st.integers(1, 4))
def test_supervised_contrast(seed, batch, classes):
    embeddings = random(batch, 6, seed=seed)
    labels = torch.randint(classes, (batch,), generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(SupervisedContrastiveLoss()(embeddings, labels),
                               contrastive_reference(embeddings, labels), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize('labels', [[0], [0, 1, 2], [1, 1, 1], [0, 0, 1]])
def test_contrast_has_finite_gradients_with_and_without_partners(labels):
    embeddings = random(len(labels), 4, seed=0).requires_grad_()
    loss = SupervisedContrastiveLoss()(embeddings, torch.tensor(labels))
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(embeddings.grad).all()
    if len(set(labels)) == len(labels):
        assert loss == 0 and not embeddings.grad.any()


@pytest.mark.parametrize('features', [
    torch.zeros(4, 3, 5, 5), torch.ones(4, 3, 1, 1), torch.randn(4, 1, 5, 5),
    torch.randn(1, 3, 5, 5)])
def test_similarity_has_finite_gradients_where_nothing_varies(features):
    loss = SimilarityMatchingLoss(features.shape[1])
    features = features.clone().requires_grad_()
    value = loss(features, torch.eye(4)[:len(features)])
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(features.grad).all() and torch.isfinite(loss.conv.weight.grad).all()


def test_equal_labels_and_equal_images_match():
    features = torch.randn(1, 3, 6, 6).repeat(4, 1, 1, 1)
    loss = SimilarityMatchingLoss(3)(features, torch.eye(4)[[2, 2, 2, 2]])
    assert loss.item() == pytest.approx(0, abs=1e-6)


def test_the_image_itself_reconstructs_best():
    """The target is the image in [0, 1] before it was normalised."""
    images = torch.rand(2, 3, 8, 8) * 255
    normalised = (images - torch.tensor(MEAN).view(-1, 1, 1)) / torch.tensor(STD).view(-1, 1, 1)
    loss = ReconstructionLoss(3, mean=MEAN, std=STD)
    loss.decoder = torch.nn.Identity()
    perfect = (images / 255).clamp(1e-6, 1 - 1e-6).logit()
    entropy = torch.nn.functional.binary_cross_entropy(images / 255, images / 255)
    assert loss(perfect, normalised).item() == pytest.approx(entropy.item(), rel=1e-4)
    assert loss(perfect.flip(0), normalised) > loss(perfect, normalised)


@pytest.mark.parametrize('name', ['similarity', 'reconstruction', 'contrast'])
def test_bfloat16_features_give_full_precision_losses(name):
    features, images = torch.randn(4, 3, 6, 6), torch.randn(4, 3, 6, 6)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        if name == 'similarity':
            loss = SimilarityMatchingLoss(3)(features, torch.eye(4))
        elif name == 'reconstruction':
            loss = ReconstructionLoss(3, mean=MEAN, std=STD)(features, images)
        else:
            loss = SupervisedContrastiveLoss()(features.flatten(1), torch.tensor([0, 0, 1, 1]))
    assert loss.dtype is torch.float32 and torch.isfinite(loss)
