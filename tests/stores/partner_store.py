"""A partner operations team's folders in an object store, for the tests of stores."""

import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass

import obstore
import polars as pl
import pytest
from obstore.store import from_url

from pipeline import RunConfig
from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.night import INTUNE
from pipeline.storage.near import at_hand
from pipeline.storage.objects import Prefix
from pipeline.storage.places import store_at
from tests.conftest import AS_OF, TENANT
from tests.faults.killing import devices_in
from tests.stores import servers
from tests.stores.proxy import between

HASH = INTUNE[2]

above_the_store = pytest.mark.parametrize(
    "server", ["s3", pytest.param("azure", marks=pytest.mark.long)], indirect=True, scope="module"
)
"""Of tests of what is alike for all stores, since it stands above the few things that a store is asked for."""


@dataclass
class Store:
    """A partner operations team's folders, in an object store."""

    base: str
    world: object
    environment: dict[str, str]

    def deliver(self, *rows, name="a"):
        path = self.world.deliver(f"contoso/{TENANT}/{name}.csv", *rows)
        self.put(path)

    def deliver_devices(self, number, name="a"):
        self.deliver(*({HASH: capture(self.world.factory.device())} for _ in range(number)), name=name)

    def put(self, path):
        obstore.put(from_url(self.base), path.relative_to(self.world.home).as_posix(), path)

    def put_reference(self):
        for path in (self.world.home / "reference").iterdir():
            self.put(path)

    def config(self, run_id, **options):
        return RunConfig.beside(f"{self.base}/inbox", as_of=AS_OF, run_id=run_id, **options)

    def start(self, run_id, *options):
        arguments = ["run", f"{self.base}/inbox", "--run-id", run_id, *options]
        return subprocess.Popen(
            [sys.executable, "-m", "pipeline", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | self.environment,
        )

    def finish(self, process):
        _, told = process.communicate(timeout=300)
        assert process.returncode == 0, told
        return told

    def published(self, run_id, name="registered"):
        with at_hand(f"{self.base}/runs/{run_id}", lambda path: path.startswith(name)) as folder:
            return pl.read_parquet(sorted((folder / name).glob("*.parquet")), glob=False)

    def names(self, under):
        return set(Prefix(self.base).names(under))

    def require_exactly_once(self, devices):
        registered = devices_in(f"{self.base}/registry")
        assert len(registered) == len(set(registered)) == devices
        runs = [name for name in Prefix(f"{self.base}/runs").folders() if f"runs/{name}/run.json" in self.names("runs")]
        sets = [self.published(name).select("hardware_hash_id") for name in runs]
        assert sorted(pl.concat(sets)["hardware_hash_id"]) == registered
        assert self.names("runs/.staging") == set()


@contextmanager
def through_proxy(store, server, monkeypatch, **faults):
    """All that this process asks of the store goes through a proxy with these faults."""
    _, _, port = server
    through = servers.free_port()
    name = "AWS_ENDPOINT_URL" if store.base.startswith("s3") else "AZURITE_BLOB_STORAGE_URL"
    with between(port, through, **faults) as proxy, monkeypatch.context() as patched:
        patched.setenv(name, f"http://127.0.0.1:{through}")
        store_at.cache_clear()
        yield proxy
        store_at.cache_clear()
