"""What an executor promises, asked of a cluster, and then a night, both in a session that is there already.

usage: contract.py MASTER FOLDER, in the folder of a night
"""

import json
import sys
from pathlib import Path

from pyspark.sql import SparkSession

from pipeline import RunConfig, run
from pipeline.config import parse_moment
from pipeline.engine import Spark, share, shared
from pipeline.errors import IntakeError
from pipeline.lab.synthesize.night import AS_OF

MASTER, PLACE = sys.argv[1], Path(sys.argv[2])
NOTE = "open({path!r}, 'a').write('x')"
"""What a task does that tells how often it was tried."""


def tried(name):
    path = PLACE / name
    return len(path.read_text()) if path.exists() else 0


def noting(name, then):
    return f"{NOTE.format(path=str(PLACE / name))}\n{then}"


def raised(executor, *task):
    executor.submit((0,), *task)
    try:
        executor.next_result()
    except (IntakeError, OSError) as error:
        return type(error).__name__, str(error)
    return None


def promises():
    told = {}
    with Spark(None, PLACE) as executor:
        for number in (3, 1, 2):
            executor.submit((number,), pow, number, 2)
        told["results"] = [executor.next_result() for _ in range(3)]
        for name, code in {
            "program": "__import__('pipeline').__file__",
            "threads": "__import__('polars').thread_pool_size()",
        }.items():
            executor.submit((0,), eval, code)
            told[name] = executor.next_result()[1]
        for value in ("first", "second"):
            for at in range(4):  # on every executor
                executor.submit((at,), shared, share(value, PLACE / f"shared-{value}"))
            told[value] = [executor.next_result()[1] for _ in range(4)]
        for at in range(4):
            executor.submit((at,), eval, "__import__('gc').get_freeze_count()")
        told["left alone"] = max(executor.next_result()[1] for _ in range(4))
        full = noting("full", "raise OSError(28, 'No space left on device')")
        told["full"] = raised(executor, exec, full), tried("full")
        bug = noting("bug", "raise ZeroDivisionError('secret')")
        told["bug"] = raised(executor, exec, bug), tried("bug")
        told["lacking"] = raised(executor, exec, "import no_such_library")
        dies = noting("dies", f"import os\nlen(open({str(PLACE / 'dies')!r}).read()) > 1 or os.kill(os.getpid(), 9)")
        executor.submit((0,), exec, dies)
        told["dies"] = executor.next_result()[1], tried("dies")
    with Spark(None, PLACE, [PLACE / "nowhere"]) as executor:
        told["nowhere"] = raised(executor, pow, 2, 2)
    return told


def main():
    session = SparkSession.builder.master(MASTER).getOrCreate()
    told = promises()
    run(RunConfig.beside(Path("inbox"), engine="spark", as_of=parse_moment(AS_OF), run_id="night"))
    told["still there"] = session.range(3).count()
    session.stop()
    print(json.dumps(told))  # noqa: T201 - what it is asked for


if __name__ == "__main__":
    main()
