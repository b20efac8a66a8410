import json
import subprocess
import sys

import pytest

from tests.benchmarks.deliveries import delivery
from tests.conftest import AUTHORIZATIONS, PARTNERS, TENANT

pytestmark = pytest.mark.benchmark

SCRIPT = """
import json, pathlib, sys, time
from pipeline import RunConfig, run
from pipeline.storage import durable

if sys.argv[2] == "unsafe":
    durable._sync = lambda path: None

class Watch:
    def notice(self, text): pass
    def reading(self, files, size): pass
    def read(self, files, size, rows): pass
    def stage(self, name):
        if name == "publish":
            self.begun = time.perf_counter()

watch = Watch()
registry, output = (pathlib.Path(sys.argv[1] + name) for name in ("-registry", "-runs"))
places = {"registry": registry, "create_registry": True, "output": output}
result = run(RunConfig.beside(pathlib.Path("inbox"), run_id=sys.argv[1], **places), watch)
print(json.dumps({"seconds": time.perf_counter() - watch.begun, **result.manifest["rows"]}))
"""


def test_the_cost_of_safety(tmp_path, request, capsys):
    rows, files = request.config.getoption("--rows"), 10
    (tmp_path / "reference").mkdir()
    (tmp_path / "reference" / "partners.csv").write_text(PARTNERS)
    (tmp_path / "reference" / "authorizations.csv").write_text(AUTHORIZATIONS)
    for number in range(files):
        path = tmp_path / "inbox" / "contoso" / TENANT / f"{number}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(delivery(number, rows // files))
    took = {"safe": [], "unsafe": []}
    for at in range(3):
        for name, seconds in took.items():
            done = subprocess.run(
                [sys.executable, "-c", SCRIPT, f"{name}-{at}", name],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=True,
            )
            told = json.loads(done.stdout)
            seconds.append(told["seconds"])
    safe, unsafe = min(took["safe"]), min(took["unsafe"])
    with capsys.disabled():
        print(
            f"\npublish and commit of {told['registered']:,} devices: {safe:.2f} s with fsync, {unsafe:.2f} s without,"
        )
        print(f"{safe / unsafe:.2f} times; all tries {took}")
