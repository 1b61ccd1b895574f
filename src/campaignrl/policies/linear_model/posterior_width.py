"""How unsure a linear model is of each action's value: the marginal posterior of one action's coefficients.

With the shared blocks s ~ N(m, K) and the own block integrated, beta_a = M_a s_a + noise of covariance C_a, where
C_a = (gram_a + own penalty)^-1, M_a = I - C_a gram_a and s_a the sum of the shared blocks that a uses. Not here:
what an unsure policy does (linear.py, reg_cb.py). n rows, k actions, D = 1 + encoded columns.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_solve

from campaignrl.arrays import Float, Float32
from campaignrl.policies.blas_threads import one_blas_thread
from campaignrl.policies.linear_model.ridge import Posterior

ROWS_AT_ONCE = 256  # whose products stay in the second-level cache


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


def block_covariances(posterior: Posterior) -> tuple[Float, Float]:
    """Of the shared blocks, K (B, D, B, D), and of each action's own block given them, C (k, D, D)."""
    B, D = posterior.shared_mean.shape
    with one_blas_thread():
        own = posterior.own_factor.transpose(0, 2, 1) @ posterior.own_factor
        shared = cho_solve((posterior.shared_factor, True), np.eye(B * D), check_finite=False)
    return shared.reshape(B, D, B, D), own


def _parts(posterior: Posterior) -> tuple[Float, Float, Float]:
    """M (k, D, D), K, C."""
    shared, own = block_covariances(posterior)
    with one_blas_thread():
        keep = np.eye(own.shape[1]) - own @ posterior.gram
    return keep, shared, own


def widths(covariance: Float32, phi: Float32) -> Float32:
    """(k, n) standard deviation of each action's mean reward: the root of phi' C_a phi. covariance: (k, D, D)."""
    k, D, _ = covariance.shape
    width = np.empty((k, len(phi)), dtype=np.float32)
    scratch = np.empty(k * D * min(len(phi), ROWS_AT_ONCE), dtype=np.float32)
    for start in range(0, len(phi), ROWS_AT_ONCE):
        x = np.ascontiguousarray(phi[start : start + ROWS_AT_ONCE].T)
        product = scratch[: k * D * x.shape[1]].reshape(k, D, -1)
        np.matmul(covariance.reshape(k * D, D), x, out=product.reshape(k * D, -1))  # one large one for all actions
        product *= x
        product.sum(axis=1, out=width[:, start : start + ROWS_AT_ONCE])
    np.maximum(width, 0.0, out=width)  # rounding may pass 0
    return np.sqrt(width, out=width)
