"""Stand-ins for packages that a peer imports and does not need to step its environments.

Run by the peer's own interpreter, which has none of campaignrl's packages: the standard library only.
"""

import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec


class _Any(type):
    def __getattr__(cls, name: str):
        if name.startswith("__"):
            raise AttributeError(name)
        return Anything


class Anything(metaclass=_Any):
    """Whatever a learner's module wants at import: a base class, a decorator, a constant."""

    def __new__(cls, *args, **kwargs):
        """As a decorator it hands back what it was given."""
        return args[0] if args and callable(args[0]) else super().__new__(cls)


class _Finder(MetaPathFinder, Loader):
    def __init__(self, names: tuple[str, ...]):
        self.names = names

    def find_spec(self, fullname, path=None, target=None):
        wanted = any(fullname == name or fullname.startswith(f"{name}.") for name in self.names)
        return ModuleSpec(fullname, self, is_package=True) if wanted else None

    def exec_module(self, module):
        module.__getattr__ = lambda name: Anything


def stand_in_for(*names: str) -> None:
    """From now on these packages, and all below them, can be imported and do nothing."""
    sys.meta_path.insert(0, _Finder(names))
