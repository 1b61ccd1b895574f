"""How unsure a linear model is of each action's value: the marginal posterior of one action's coefficients.

With the shared blocks s ~ N(m, K) and the own block integrated, beta_a = M_a s_a + noise of covariance C_a, where
C_a = (gram_a + own penalty)^-1, M_a = I - C_a gram_a and s_a the sum of the shared blocks that a uses. Not here:
what an unsure policy does (linear.py, reg_cb.py). n rows, k actions, D = 1 + encoded columns.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_solve

from campaignrl.policies.base import Float
from campaignrl.policies.ridge import Float32, Posterior
from campaignrl.policies.threads import one_blas_thread


def joint_covariance(posterior: Posterior) -> Float:
    """(k, D, k, D) covariance of all actions' coefficients, in units of the noise variance."""
    keep, shared, own = _parts(posterior)
    members = posterior.blocks.members.astype(np.float64)
    k, D, _ = own.shape
    with one_blas_thread():
        across = np.einsum("ai,idje,bj->adbe", members, shared, members, optimize=True)
        left = (keep @ across.reshape(k, D, k * D)).reshape(k, D, k, D)
        joint = np.matmul(left.transpose(2, 0, 1, 3), keep.transpose(0, 2, 1)[:, None]).transpose(1, 2, 0, 3)
    joint = np.ascontiguousarray(joint)
    joint[np.arange(k), :, np.arange(k), :] += own
    return joint


def marginal_covariances(posterior: Posterior) -> Float:
    """(k, D, D) covariance of each action's coefficients, in units of the noise variance."""
    keep, shared, own = _parts(posterior)
    with one_blas_thread():
        for a, members in enumerate(posterior.blocks.members):
            used = np.flatnonzero(members)
            own[a] += keep[a] @ shared[used][:, :, used].sum(axis=(0, 2)) @ keep[a].T
    return own


def _parts(posterior: Posterior) -> tuple[Float, Float, Float]:
    """M (k, D, D), covariance of the shared blocks (B, D, B, D), C (k, D, D)."""
    B, D = posterior.shared_mean.shape
    with one_blas_thread():
        own = posterior.own_factor.transpose(0, 2, 1) @ posterior.own_factor
        keep = np.eye(D) - own @ posterior.gram
        shared = cho_solve((posterior.shared_factor, True), np.eye(B * D), check_finite=False)
    return keep, shared.reshape(B, D, B, D), own


def packed(covariance: Float) -> Float32:
    """(k, D, D) symmetric -> (k, D (D + 1) / 2): its quadratic form as one row of weights for `products`."""
    D = covariance.shape[-1]
    i, j = np.triu_indices(D)
    return np.ascontiguousarray(covariance[:, i, j] * np.where(i == j, 1.0, 2.0), dtype=np.float32)


def products(phi: Float32) -> Float32:
    """(n, D) -> (D (D + 1) / 2, n): all products of two columns, in the order of `packed`."""
    x = np.ascontiguousarray(phi.T)
    D, n = x.shape
    z = np.empty((D * (D + 1) // 2, n), dtype=np.float32)
    at = 0
    for i in range(D):
        np.multiply(x[i], x[i:], out=z[at : at + D - i])
        at += D - i
    return z


def widths(weights: Float32, phi: Float32) -> Float32:
    """(k, n) standard deviation of each action's mean reward, phi' C_a phi under the root. weights: from `packed`.

    One product of every pair of columns serves all actions, which halves the work of k quadratic forms.
    """
    variance: Float32 = weights @ products(phi)
    np.maximum(variance, 0.0, out=variance)  # rounding may pass 0
    return np.asarray(np.sqrt(variance, out=variance))
