"""Tests of worlds, but those marked `alone`, are played together, those of a module in the same nights."""

import functools

import pytest

from tests.worlds.together import play_together


def pytest_configure(config):
    config.addinivalue_line("markers", "alone: a test of a world that shares its nights with no other")


def _is_shared(item):
    return "world" in item.fixturenames and not item.get_closest_marker("alone")


def _played(item, world):
    given = getattr(item, "callspec", None)
    arguments = dict(given.params) if given else {}
    if "factory" in item.fixturenames and "factory" in item._fixtureinfo.argnames:
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
