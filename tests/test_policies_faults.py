"""Bundles of every kind that learns: damaged, foreign or made by hand, they are refused in one line, and never run."""

import json
import pickle

import numpy as np
import pytest

from campaignrl.actions import Catalog
from campaignrl.errors import ArtifactError, DataError
from campaignrl.features import Context
from campaignrl.policies.bundle import load_bundle, save_bundle
from campaignrl.policies.loading import build_policy
from campaignrl.policies.registry import KINDS, policy_class
from campaignrl.policies.tensor_file import MAX_HEADER, pack, unpack

SMALL = {
    "neural_linear": {"hidden": [8, 4], "epochs": 1, "draws": 4},
    "lin_ts": {"draws": 4},
    "logit_ts": {"low": -0.4, "high": 0.8},
    "beta_ts": {"by": "segment", "success_above": 0.0},
    **{kind: {"by": "segment"} for kind in ("epsilon_greedy", "ucb1", "gaussian_ts")},
    **{kind: {"hidden": [8]} for kind in ("network", "ppo", "maskable_ppo", "dqn", "qr_dqn")},
    "recurrent_ppo": {"hidden": [8], "lstm_hidden_size": 4},
}
LEARNED = sorted(set(KINDS) - {"none", "uniform", "always", "rules"})


@pytest.fixture(scope="module")
def bundle_of(shop, tmp_path_factory):
    """A bundle of each kind that learns, and its bytes."""
    made, folder = {}, tmp_path_factory.mktemp("bundles")

    def make(kind):
        if kind not in made:
            policy = build_policy({"kind": kind, **SMALL.get(kind, {})}, shop.catalog, shop.schema)
            if hasattr(policy, "update"):
                if kind == "neural_linear":
                    pytest.importorskip("torch", reason="needs the extra `rl`")
                policy.update(shop.log(200))
            else:
                policy.restore({name: array + 0.5 for name, array in policy.tensors().items()})
            made[kind] = save_bundle(policy, folder / f"{kind}.bundle", {"rows": 200})
        return made[kind]

    return make


@pytest.fixture(params=LEARNED)
def bundle(request, bundle_of):
    return bundle_of(request.param)


def refused(path, catalog=None):
    """The one line a bad file is refused with."""
    with pytest.raises(ArtifactError) as caught:
        load_bundle(path, catalog)
    text = str(caught.value)
    assert "\n" not in text
    assert str(path) in text
    return text


def rewritten(bundle, target, change=None, tensors=None):
    """A well-formed bundle with another manifest or other tensors, as somebody with our own writer could make it."""
    texts, found = unpack(bundle.read_bytes(), "x")
    manifest = json.loads(texts["campaignrl"])
    if change:
        change(manifest)
    target.write_bytes(pack({"campaignrl": json.dumps(manifest)}, {**found, **(tensors or {})}))
    return target


def test_cut_at_200_offsets(bundle, tmp_path):
    raw, path = bundle.read_bytes(), tmp_path / "cut.bundle"
    for length in np.unique(np.linspace(0, len(raw) - 1, 200).astype(int)):
        path.write_bytes(raw[:length])
        refused(path)


def test_one_byte_changed(bundle, tmp_path):
    raw, path = bundle.read_bytes(), tmp_path / "byte.bundle"
    for place in np.unique(np.linspace(0, len(raw) - 1, 60).astype(int)):
        changed = bytearray(raw)
        changed[place] ^= 0xFF
        path.write_bytes(changed)
        refused(path)


def test_a_header_that_claims_to_be_huge(bundle, tmp_path):
    raw, path = bundle.read_bytes(), tmp_path / "huge.bundle"
    for length in (MAX_HEADER + 1, 2**40, 2**63):
        path.write_bytes(length.to_bytes(8, "little") + raw[8:])
        refused(path)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers(bundle, value, tmp_path):
    _, found = unpack(bundle.read_bytes(), "x")
    for name in found:
        if found[name].size:
            spoiled = np.array(found[name])
            spoiled.flat[-1] = value
            assert "NaN or infinity" in refused(rewritten(bundle, tmp_path / "nan.bundle", tensors={name: spoiled}))


def test_weights_of_another_shape(bundle, tmp_path):
    _, found = unpack(bundle.read_bytes(), "x")
    for name, array in found.items():
        other = np.zeros((*array.shape, 2), dtype=array.dtype) if array.ndim < 4 else np.zeros(3, dtype=array.dtype)
        assert name in refused(rewritten(bundle, tmp_path / "shape.bundle", tensors={name: other}))


def test_another_catalog(bundle, shop):
    own = shop.catalog
    fewer = Catalog.product(own.offers, own.channels, [(a.offer, a.channel) for a in own.actions[1:-1]])
    assert "catalog" in refused(bundle, fewer)


def test_a_feature_renamed_is_missed_where_it_is_needed(bundle, shop, tmp_path):
    """The file is whole; the customers it is asked about do not have what it wants to see."""

    def rename(manifest):
        next(f for f in manifest["features"] if f["name"] in ("orders", "segment"))["name"] = "order_count"
        if manifest["settings"].get("by"):
            manifest["settings"]["by"] = "order_count"

    policy = load_bundle(rewritten(bundle, tmp_path / "renamed.bundle", rename), shop.catalog)
    with pytest.raises(DataError, match="order_count"):
        policy.probabilities(shop.context(5), np.ones((5, 7), dtype=bool))
    fewer = Context(shop.schema, {n: c for n, c in shop.context(5).columns.items() if n != "segment"})
    with pytest.raises(DataError, match="segment"):
        load_bundle(bundle).probabilities(fewer, np.ones((5, 7), dtype=bool))


def test_a_newer_format(bundle, tmp_path):
    said = refused(rewritten(bundle, tmp_path / "new.bundle", lambda manifest: manifest.update(format=2)))
    assert "update campaignrl" in said


def test_settings_that_do_not_fit_the_weights(bundle_of, tmp_path):
    def widen(manifest):
        manifest["settings"]["hidden"] = [9]

    for kind in ("network", "maskable_ppo", "dqn", "qr_dqn"):
        assert "weight_0" in refused(rewritten(bundle_of(kind), tmp_path / "w.bundle", widen))


def test_one_kind_under_the_name_of_another(bundle_of, tmp_path):
    """Its settings are read by the other's own rules."""
    changed = rewritten(bundle_of("dqn"), tmp_path / "k.bundle", lambda manifest: manifest.update(kind="maskable_ppo"))
    assert "settings" in refused(changed)
    assert policy_class("dqn").Config is not policy_class("maskable_ppo").Config


class Canary:
    """Leaves a file behind if anybody unpickles it."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return type(self.path).touch, (self.path,)


def test_files_of_torch_are_refused_by_their_first_bytes_and_never_run(tmp_path):
    """As `torch.save` and stable-baselines3 write them, in the new and in the old form."""
    torch = pytest.importorskip("torch", reason="needs the extra `rl`")
    canary, path = tmp_path / "canary", tmp_path / "model.bundle"
    torch.save({"state": Canary(canary)}, path)
    assert "zip archive (torch" in refused(path)
    torch.save({"state": Canary(canary)}, path, _use_new_zipfile_serialization=False)
    assert "a pickle" in refused(path)
    path.write_bytes(pickle.dumps(Canary(canary)))
    assert "a pickle" in refused(path)
    assert not canary.exists()
