"""Hidden tests of w01.t08: other sizes, new images."""

import numpy as np
import torch

from tasks.labs import checking


def test_new_images_are_coded_by_the_old_mean(impl, rng):
    """Test images are seen from the mean of the training images, by the directions of the training images."""
    X, new = torch.tensor(rng.normal(size=(40, 5)) + 3), torch.tensor(rng.normal(size=(7, 5)) - 8)
    mean, directions = impl.pca(X, 2)
    with checking.untouched(new, mean, directions, why="Compute on copies."):
        back = impl.decode(impl.encode(new, mean, directions), mean, directions)
    basis = checking.array(directions)
    centred = new.numpy() - X.numpy().mean(0)
    want = X.numpy().mean(0) + np.einsum("nd,kd,ke->ne", centred, basis, basis)
    why = "Mean and directions come as arguments: do not compute them from the new images."
    checking.close(back, want, rtol=1e-6, concept="mean-in-encode", why=why)


def test_all_directions_lose_nothing(impl, rng):
    """With k = d the images come back, and the shares end at 1."""
    X = torch.tensor(rng.normal(size=(30, 4)) + 2)
    mean, directions = impl.pca(X, 4)
    back = impl.decode(impl.encode(X, mean, directions), mean, directions)
    checking.close(back, X, rtol=1e-6, atol=1e-9, concept="round-trip", why="Nothing is left out.")
    shares = checking.array(impl.explained_variance(X))
    growing = (
        shares.shape == (4,) and bool((np.diff(shares) > 0).all()) and abs(shares[-1] - 1) < 1e-9
    )
    why = "Shares grow from that of the first direction to 1."
    checking.that(growing, concept="explained-variance", why=why, got=shares)


def test_subspaces_at_right_angles(impl, rng):
    """Cosine 0, also when only one direction is at a right angle; symmetric in its arguments."""
    A, B = torch.eye(6)[:2], torch.eye(6)[1:3]
    why = "The smallest cosine counts."
    checking.close(impl.subspace_cosine(A, B), 0.0, atol=1e-6, concept="largest-angle", why=why)
    A, B = torch.tensor(rng.normal(size=(3, 9))), torch.tensor(rng.normal(size=(3, 9)))
    got, want = impl.subspace_cosine(A, B), impl.subspace_cosine(B, A)
    checking.close(got, want, rtol=1e-6, concept="basis-free", why="Angles know no order.")


def test_error_agrees_with_torch(impl, rng):
    """Random float32 images of three axes."""
    X, Y = (torch.tensor(rng.normal(size=(2, 3, 4)), dtype=torch.float32) for _ in range(2))
    want = torch.nn.functional.mse_loss(X, Y)
    why = "The mean over all entries, in the dtype of the images."
    got = impl.squared_error(X, Y)
    checking.close(got, want, rtol=1e-5, concept="mean-over-entries", why=why)
    checking.alike(got, want, concept="mean-over-entries", why=why)
