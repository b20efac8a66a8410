import uuid

import pytest

from pipeline.storage.places import store_at
from tests.stores import servers
from tests.stores.partner_store import Store


@pytest.fixture(scope="module", params=["s3", "azure"])
def server(request):
    with getattr(servers, request.param)() as (uri, environment, port):
        yield uri, environment, port


@pytest.fixture(autouse=True)
def _connections():
    """A process keeps its connections; a test may have another environment than the one before it."""
    store_at.cache_clear()


@pytest.fixture
def store(server, world, monkeypatch):
    uri, environment, _ = server
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    made = Store(f"{uri}/{uuid.uuid4()}", world, environment)
    made.put_reference()
    return made
