"""Bundles: whole or refused in one line, nothing in them ever run."""

import gzip
import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from campaignrl.actions import Action, Catalog, Channel, Offer
from campaignrl.errors import ArtifactError, UsageError
from campaignrl.policies import tensor_file as container
from campaignrl.policies.bundle import load_bundle, read_manifest, save_bundle
from campaignrl.policies.loading import build_policy
from campaignrl.policies.tensor_file import pack, unpack


@pytest.fixture(scope="module")
def bundle(shop, tmp_path_factory):
    policy = build_policy({"kind": "lin_ts", "draws": 4}, shop.catalog, shop.schema)
    policy.update(shop.log(300))
    return save_bundle(policy, tmp_path_factory.mktemp("b") / "p.bundle", {"rows": 300, "world": "商店"})


def refused(path, catalog=None):
    """The one line a bad file is refused with."""
    with pytest.raises(ArtifactError) as caught:
        load_bundle(path, catalog)
    text = str(caught.value)
    assert "\n" not in text
    assert str(path) in text
    return text


def rewrite(bundle, target, change=None, tensors=None):
    """A well-formed bundle with another manifest or other tensors, as somebody with our own writer could make it."""
    texts, found = unpack(bundle.read_bytes(), "x")
    manifest = json.loads(texts["campaignrl"])
    if change:
        change(manifest)
    target.write_bytes(pack({"campaignrl": json.dumps(manifest)}, {**found, **(tensors or {})}))
    return target


def test_facts_travel_and_safetensors_reads_it_too(bundle):
    assert read_manifest(bundle)["trained_on"] == {"rows": 300, "world": "商店"}
    theirs = load_file(bundle)
    for name, array in load_bundle(bundle).tensors().items():
        np.testing.assert_array_equal(theirs[name], array)


def test_a_bundle_bears_no_time_stamp(bundle, shop, tmp_path):
    again = save_bundle(load_bundle(bundle), tmp_path / "q.bundle", {"world": "商店", "rows": 300})
    assert again.read_bytes() == bundle.read_bytes()


def test_cut_anywhere_it_is_refused(bundle, tmp_path):
    raw = bundle.read_bytes()
    path = tmp_path / "cut.bundle"
    for length in np.unique(np.linspace(0, len(raw) - 1, 200).astype(int)):
        path.write_bytes(raw[:length])
        refused(path)


def test_one_bit_changed_anywhere_it_is_refused(bundle, tmp_path):
    raw = bundle.read_bytes()
    path = tmp_path / "bit.bundle"
    header = 8 + int.from_bytes(raw[:8], "little")
    places = {
        *range(8),
        *np.linspace(8, header - 1, 250).astype(int),
        *np.linspace(header, len(raw) - 1, 150).astype(int),
    }
    for place in places:
        changed = bytearray(raw)
        changed[place] ^= 1 << (place % 8)
        path.write_bytes(changed)
        refused(path)


def test_bytes_behind_the_end_are_refused(bundle, tmp_path):
    path = tmp_path / "more.bundle"
    path.write_bytes(bundle.read_bytes() + b"\0" * 8)
    refused(path)


class Canary:
    """Leaves a file behind if anybody unpickles it."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_is_refused_and_never_run(protocol, tmp_path):
    canary, path = tmp_path / "canary", tmp_path / "model.bundle"
    payload = pickle.dumps(Canary(canary), protocol=protocol)
    path.write_bytes(payload)
    assert "is not a bundle" in refused(path)
    if protocol >= 2:
        assert "a pickle" in refused(path)
    with zipfile.ZipFile(path, "w") as archive:  # as torch.save writes it
        archive.writestr("archive/data.pkl", payload)
    assert "zip archive" in refused(path)
    path.write_bytes(gzip.compress(payload))
    assert "gzip" in refused(path)
    np.save(tmp_path / "x.npy", np.array([Canary(canary)], dtype=object), allow_pickle=True)
    (tmp_path / "x.npy").rename(path)
    assert "NumPy" in refused(path)
    assert not canary.exists()


def test_other_things_that_are_no_bundle(tmp_path):
    empty = tmp_path / "empty.bundle"
    empty.touch()
    assert "an empty file" in refused(empty)
    assert "No such file" in refused(tmp_path / "nowhere.bundle")
    assert "Is a directory" in refused(tmp_path)
    foreign = tmp_path / "foreign.bundle"
    save_file({"w": np.zeros(3, dtype=np.float32)}, foreign)  # safetensors of somebody else
    assert "as campaignrl writes it" in refused(foreign)


def header_of(table, data=b""):
    text = json.dumps(table, sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data


def signed(entry, data=b"\0" * 8):
    table = {"w": entry, "__metadata__": {}}
    table["__metadata__"] = {"sha256": container._digest(table, data)}
    return header_of(table, data)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"dtype": "F32", "shape": [2**28, 2**28], "data_offsets": [0, 8]}, "data_offsets"),
        ({"dtype": "F32", "shape": [10**30], "data_offsets": [0, 8]}, "shape"),
        ({"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]}, "shape"),
        ({"dtype": "F32", "shape": [2.0], "data_offsets": [0, 8]}, "shape"),
        ({"dtype": "F32", "shape": [True, 2], "data_offsets": [0, 8]}, "shape"),
        ({"dtype": "F32", "shape": [1, 1, 1, 1, 2], "data_offsets": [0, 8]}, "shape"),
        ({"dtype": "F32", "shape": "2", "data_offsets": [0, 8]}, "shape"),
        ({"dtype": "F32", "shape": [2], "data_offsets": [4, 12]}, "data_offsets"),
        ({"dtype": "F32", "shape": [2], "data_offsets": [False, 8]}, "data_offsets"),
        ({"dtype": "F32", "shape": [3], "data_offsets": [0, 12]}, "cut short"),
        ({"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}, "length"),
        ({"dtype": "O", "shape": [1], "data_offsets": [0, 8]}, "dtype"),
        ({"dtype": ["F32"], "shape": [1], "data_offsets": [0, 8]}, "dtype"),
        ({"dtype": "F32", "shape": [2]}, "entry"),
        ([], "entry"),
    ],
)
def test_a_tensor_that_claims_what_it_is_not(entry, said, tmp_path):
    path = tmp_path / "claims.bundle"
    path.write_bytes(signed(entry))
    assert said in refused(path)


@pytest.mark.parametrize("raw", [np.nan, np.inf, -np.inf])
def test_numbers_must_be_finite(raw, tmp_path):
    path = tmp_path / "nan.bundle"
    path.write_bytes(signed({"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}, np.float64(raw).tobytes()))
    assert "is not finite" in refused(path)


def test_headers_too_long_too_deep_or_not_json(tmp_path):
    path = tmp_path / "header.bundle"
    for raw in (
        (2**63).to_bytes(8, "little") + b"{" * 100,
        len(b'{"a":' * 50_000).to_bytes(8, "little") + b'{"a":' * 50_000,
        header_of({"__metadata__": {"sha256": 3}}),
        header_of({"__metadata__": []}),
        header_of({}),
        (16).to_bytes(8, "little") + b'{"a":1e999}     ',
        (16).to_bytes(8, "little") + b'{"a":1,"a":1}   ',
    ):
        path.write_bytes(raw)
        refused(path)


def test_too_many_tensors(tmp_path):
    path = tmp_path / "many.bundle"
    path.write_bytes(pack({}, {str(i): np.zeros(0) for i in range(container.MAX_TENSORS + 1)}))
    assert "tensors = 257" in refused(path)


def test_a_file_too_large_is_not_read(bundle, monkeypatch):
    monkeypatch.setattr("campaignrl.policies.bundle.MAX_FILE", 100)
    assert "is not at most 100 bytes" in refused(bundle)


def set_to(*keys, value):
    def change(manifest):
        place = manifest
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (set_to("format", value=2), "update campaignrl"),
        (set_to("format", value=True), "manifest"),
        (set_to("kind", value="os:system"), "kind = 'os:system' is not one of none"),
        (set_to("kind", value="lin_tss"), "Did you mean 'lin_ts'?"),
        (set_to("kind", value="uniform"), "settings"),
        (set_to("kind", value=["lin_ts"]), "is not a text"),
        (set_to("name", value=3), "is not a text"),
        (set_to("extra", value=3), "manifest"),
        (set_to("settings", value=[]), "settings"),
        (set_to("settings", "draws", value=10**9), "draws"),
        (set_to("settings", "draws", value=5), "draws"),
        (set_to("settings", "module", value="os"), "module"),
        (set_to("catalog", value={}), "catalog"),
        (set_to("catalog", "actions", value=[]), "none"),
        (set_to("catalog", "actions", 1, "name", value=7), "catalog.actions.1.name"),
        (set_to("catalog", "actions", 1, "offer", value="gift"), "known offer"),
        (set_to("catalog", "channels", 0, "cost", value="x"), "catalog.channels.0.cost"),
        (set_to("features", value=3), "features"),
        (set_to("features", value=[]), "gram"),
        (set_to("features", 1, "high", value=-1), "features.1"),
        (set_to("features", 1, "high", value="__import__('os')"), "features.1.high"),
        (set_to("features", 1, "colour", value="red"), "features"),
        (set_to("features", 0, "levels", value=[1]), "features.0.levels"),
    ],
)
def test_a_manifest_that_is_not_ours(change, said, bundle, tmp_path):
    assert said in refused(rewrite(bundle, tmp_path / "m.bundle", change))


def test_tensors_must_be_those_of_the_kind(bundle, tmp_path):
    tensors = load_bundle(bundle).tensors()
    path = tmp_path / "t.bundle"
    assert "tensors" in refused(rewrite(bundle, path, tensors={"more": np.zeros(1)}))
    assert "count" in refused(rewrite(bundle, path, tensors={"count": np.zeros(3)}))
    assert "gram" in refused(rewrite(bundle, path, tensors={"gram": tensors["gram"].astype(np.float32)}))
    texts, _ = unpack(bundle.read_bytes(), "x")
    path.write_bytes(pack(texts, {}))
    assert "tensors = []" in refused(path)


def test_rules_that_do_not_fit_their_own_features(shop, tmp_path):
    policy = build_policy(
        {"kind": "rules", "rule": [{"when": "orders > 1", "send": ["none"]}]}, shop.catalog, shop.schema
    )
    path = save_bundle(policy, tmp_path / "r.bundle")
    broken = rewrite(path, tmp_path / "broken.bundle", set_to("features", value=[]))
    assert "do not fit together" in refused(broken)


def test_another_catalog_is_refused_and_the_difference_said(bundle, shop):
    own = shop.catalog
    names = [(a.offer, a.channel) for a in own.actions[1:]]
    fewer = Catalog.product(own.offers, own.channels, names[:-1])
    assert "It has besides coupon20@sms. Train it on this catalog." in refused(bundle, fewer)
    more = Catalog.product((*own.offers, Offer(name="gift")), own.channels, [*names, ("gift", "sms")])
    assert "It lacks gift@sms" in refused(bundle, more)
    turned = Catalog.product(own.offers, own.channels, [names[1], names[0], *names[2:]])
    assert "under another id content@push, content@sms" in refused(bundle, turned)
    dearer = Catalog.product(own.offers, [Channel(name="push"), Channel(name="sms", cost=5)], names)
    assert "offers or channels differ" in refused(bundle, dearer)
    assert load_bundle(bundle, Catalog.from_dict(own.to_dict())).kind == "lin_ts"


def test_facts_must_be_plain_json(shop, tmp_path):
    policy = build_policy("uniform", shop.catalog, shop.schema)
    for fact in (object(), float("nan"), {1, 2}):
        with pytest.raises(UsageError, match="plain JSON"):
            save_bundle(policy, tmp_path / "p.bundle", {"fact": fact})
    assert not list(tmp_path.iterdir())


def test_a_policy_of_no_known_kind_is_not_saved(shop, tmp_path):
    policy = build_policy("uniform", shop.catalog, shop.schema)
    policy.kind = "mine"
    with pytest.raises(UsageError, match="kind 'mine' cannot be saved"):
        save_bundle(policy, tmp_path / "p.bundle")


def test_a_failed_write_leaves_the_old_bundle(bundle, shop, tmp_path, monkeypatch):
    path = tmp_path / "p.bundle"
    path.write_bytes(bundle.read_bytes())
    monkeypatch.setattr(
        "campaignrl.tables.files.whole_files.os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space"))
    )
    with pytest.raises(UsageError, match="cannot be written"):
        save_bundle(build_policy("uniform", shop.catalog, shop.schema), path)
    assert path.read_bytes() == bundle.read_bytes()
    assert [p.name for p in tmp_path.iterdir()] == ["p.bundle"]


def test_unicode_names_travel(shop, tmp_path):
    catalog = Catalog.product([Offer(name="满减")], [Channel(name="短信")], [("满减", "短信")])
    assert catalog.actions[1] == Action(name="满减@短信", offer="满减", channel="短信")
    policy = build_policy({"kind": "always", "action": "满减@短信", "name": "老客"}, catalog, shop.schema)
    again = load_bundle(save_bundle(policy, tmp_path / "中.bundle"), catalog)
    assert (again.name, again.settings()) == ("老客", {"action": "满减@短信"})
