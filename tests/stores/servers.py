"""Object stores on this machine: moto's S3 server and Azurite, each a process of its own."""

import base64
import hashlib
import hmac
import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.request import Request, urlopen

import boto3
import pytest

BUCKET = "night"
# The account and key that every Azurite has; they open nothing else.
_ACCOUNT = "devstoreaccount1"
_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@contextmanager
def _serving(command, port):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(300):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        else:
            pytest.fail(f"{command[0]} did not start")
        yield
    finally:
        process.kill()
        process.wait()


def s3_environment(port):
    return {
        "AWS_ACCESS_KEY_ID": "an-access-key",
        "AWS_SECRET_ACCESS_KEY": "a-secret-access-key",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ALLOW_HTTP": "true",
    }


@contextmanager
def s3():
    """An S3 server; gives the URI of a bucket, the environment that leads there, and its port."""
    port = free_port()
    server = Path(sys.executable).with_name("moto_server")
    with _serving([server, "-H", "127.0.0.1", "-p", str(port)], port):
        keys = {"aws_access_key_id": "an-access-key", "aws_secret_access_key": "a-secret-access-key"}
        client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1", **keys)
        client.create_bucket(Bucket=BUCKET)
        yield f"s3://{BUCKET}", s3_environment(port), port


def azure_environment(port):
    return {"AZURE_STORAGE_USE_EMULATOR": "true", "AZURITE_BLOB_STORAGE_URL": f"http://127.0.0.1:{port}"}


@contextmanager
def azure():
    """Azurite; gives the URI of a container, the environment that leads there, and its port."""
    server = shutil.which("azurite-blob")
    if server is None and "CI" not in os.environ:
        pytest.skip("no Azurite on this machine")
    port = free_port()
    options = ["--silent", "--disableTelemetry", "--inMemoryPersistence", "--skipApiVersionCheck"]
    with _serving([server, *options, "--blobPort", str(port)], port):
        _make_container(port)
        yield f"abfss://{BUCKET}@{_ACCOUNT}.dfs.core.windows.net", azure_environment(port), port


def _make_container(port):
    moment = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    path = f"/{_ACCOUNT}/{BUCKET}"
    headers = f"x-ms-date:{moment}\nx-ms-version:2021-08-06"
    signed = "PUT" + "\n" * 12 + f"{headers}\n/{_ACCOUNT}{path}\nrestype:container"
    digest = hmac.new(base64.b64decode(_KEY), signed.encode(), hashlib.sha256).digest()
    sent = {
        "x-ms-date": moment,
        "x-ms-version": "2021-08-06",
        "Authorization": f"SharedKey {_ACCOUNT}:{base64.b64encode(digest).decode()}",
        "Content-Length": "0",
    }
    request = Request(f"http://127.0.0.1:{port}{path}?restype=container", method="PUT", headers=sent)
    urlopen(request).close()  # noqa: S310 - our own server
