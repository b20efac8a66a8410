"""Tests of worlds, but those marked `alone`, are played together, those of a module in the same nights."""

import functools
from pathlib import Path

import pytest

from tests.worlds.together import play_together


def pytest_configure(config):
    config.addinivalue_line("markers", "alone: a test of a world that shares its nights with no other")


def pytest_collection_modifyitems(items):
    """Worlds come first: whoever plays a module plays all of it, and no worker takes tests from another so early."""
    items.sort(key=lambda item: Path(__file__).parent not in item.path.parents)


def _is_shared(item):
    return "world" in item.fixturenames and not item.get_closest_marker("alone")


def _played(item, world):
    given = getattr(item, "callspec", None)
    arguments = dict(given.params) if given else {}
    if "factory" in item._fixtureinfo.argnames:
        arguments["factory"] = world.factory
    item.obj(world=world, **arguments)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    if pyfuncitem.config.option.alone or not _is_shared(pyfuncitem):
        return None
    played = pyfuncitem.session.__dict__.setdefault("worlds", {})
    if pyfuncitem.nodeid not in played:
        items = [one for one in pyfuncitem.session.items if one.path == pyfuncitem.path and _is_shared(one)]
        tests = {one.nodeid: functools.partial(_played, one) for one in items}
        played |= play_together(pyfuncitem.funcargs["world"], tests)
    if error := played[pyfuncitem.nodeid]:
        raise error
    return True
