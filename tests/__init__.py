import os

if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers share the processors already, and most frames of tests are small. How many threads there are is settled
    # by the first import; programs that tests start choose for themselves, as everywhere.
    os.environ["POLARS_MAX_THREADS"] = "1"
    import polars as pl  # noqa: F401 - its import settles it

    del os.environ["POLARS_MAX_THREADS"]
