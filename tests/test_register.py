"""A policy kind of the user's own: registered or installed, named anywhere, saved without its code."""

import importlib.util
import subprocess
import sys
from typing import ClassVar

import numpy as np
import pytest

import campaignrl as crl
from campaignrl.errors import ArtifactError, UsageError
from campaignrl.policies import registry
from campaignrl.specs import Spec

CODE = """
from campaignrl.specs import Spec


class Settings(Spec):
    share: float = 0.5


class HalfNothing:
    kind = "half_nothing"
    Config = Settings

    def __init__(self, catalog, schema, config, name):
        self.catalog, self.schema, self.config, self.name = catalog, schema, config, name

    @classmethod
    def shapes(cls, catalog, schema, config):
        return {}

    def probabilities(self, context, allowed):
        p = allowed * (1.0 - self.config.share) / allowed.sum(axis=1, keepdims=True)
        p[:, 0] += self.config.share
        return p

    def settings(self):
        return self.config.model_dump(mode="json")

    def tensors(self):
        return {}

    def restore(self, tensors):
        pass
"""


@pytest.fixture
def own(tmp_path):
    """The class, from the user's own file, and a registry that forgets it afterwards."""
    (tmp_path / "own_kind.py").write_text(CODE)
    spec = importlib.util.spec_from_file_location("own_kind", tmp_path / "own_kind.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    before = dict(registry._OWN)
    yield module.HalfNothing
    registry._OWN.clear()
    registry._OWN.update(before)


def test_a_registered_kind_is_named_saved_loaded_and_evaluated(own, tmp_path):
    crl.register_policy("half_nothing", own)
    log = crl.simulate("coupon_trap", {"kind": "half_nothing", "share": 0.4}, customers=60)
    assert log.policy_id == "half_nothing"
    policy = crl.load_policy({"kind": "half_nothing", "share": 0.25}, "coupon_trap")
    path = crl.save_policy(policy, tmp_path / "own.bundle", trained_on=crl.load_world("coupon_trap"))
    again = crl.load_policy(path)
    assert type(again) is own
    assert again.settings() == {"share": 0.25}
    assert again.trained_on == {"world": "coupon_trap"}
    assert crl.evaluate(log, path).policy == "half_nothing"


def test_a_bundle_of_a_kind_nobody_registered_says_what_to_register(own, tmp_path):
    crl.register_policy("half_nothing", own)
    path = crl.save_policy(crl.load_policy("half_nothing", "coupon_trap"), tmp_path / "own.bundle")
    registry._OWN.clear()
    with pytest.raises(ArtifactError, match=r"kind = 'half_nothing'.*campaignrl\.register_policy"):
        crl.load_policy(path)
    with pytest.raises(crl.UnknownName, match="no policy named 'half_nothing'"):
        crl.load_policy("half_nothing", "coupon_trap")
    with pytest.raises(UsageError, match=r"cannot be saved.*register_policy"):
        crl.save_policy(own(crl.load_world("coupon_trap").catalog, None, None, "mine"), tmp_path / "b.bundle")


def test_a_class_that_lacks_something_is_told_all_of_it():
    class Bare:
        kind = "other"
        Config: ClassVar[type] = dict

        def __init__(self, catalog):
            pass

        def probabilities(self, context):
            return np.ones((len(context), 1))

    with pytest.raises(UsageError) as refused:
        crl.register_policy("bare", Bare)
    fields = [problem.field for problem in refused.value.problems]
    assert fields == ["kind", "Config", "__init__", "shapes", "probabilities", "settings", "tensors", "restore"]


def test_a_name_of_ours_is_never_taken(own):
    own.kind = "lin_ts"
    with pytest.raises(UsageError, match="kind = 'lin_ts' is not free"):
        crl.register_policy("lin_ts", own)


def test_a_constructor_that_forgets_the_name_is_found_out_when_built(own):
    class Nameless(own):
        kind = "nameless"

        def __init__(self, catalog, schema, config, name):
            self.catalog = catalog

    crl.register_policy("nameless", Nameless)
    with pytest.raises(UsageError, match="class Nameless: name = 'absent'"):
        crl.load_policy("nameless", "coupon_trap")


def test_settings_of_a_kind_of_ones_own_are_checked(own):
    assert issubclass(own.Config, Spec)
    crl.register_policy("half_nothing", own)
    with pytest.raises(crl.SpecError, match="shares"):
        crl.load_policy({"kind": "half_nothing", "shares": 0.4}, "coupon_trap")


def installed(folder, points):
    """A package with entry points, as a package installer would leave it."""
    (folder / "my_shop.py").write_text(CODE)
    facts = folder / "my_shop-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: my-shop\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text("[campaignrl.policies]\n" + "\n".join(points) + "\n")


def test_an_installed_package_brings_its_kind_to_the_command_line(tmp_path, monkeypatch):
    installed(tmp_path, ["half_nothing = my_shop:HalfNothing"])
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{':'.join(sys.path)}")
    words = ["simulate", "--world", "coupon_trap", "--policy", "half_nothing", "--customers", "20", "-o", "log.parquet"]
    code = f"from campaignrl.cli.main import main; import sys; sys.argv = {['campaignrl', *words]!r}; main()"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert crl.read_log(tmp_path / "log.parquet").policy_id == "half_nothing"


def test_an_entry_point_that_leads_nowhere_is_named(tmp_path, monkeypatch):
    installed(tmp_path, ["gone = my_shop:Gone", "ill = my_shop:Settings"])
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UsageError, match="gone = 'my_shop:Gone' is not to be had"):
        crl.load_policy("gone", "coupon_trap")
    with pytest.raises(UsageError, match="class Settings: kind"):
        crl.load_policy("ill", "coupon_trap")
    sys.modules.pop("my_shop", None)
