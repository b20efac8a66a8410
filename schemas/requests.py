"""Requests over time: what the registry knows of deliveries, and of their rows that were not settled at once.

A request is one data row of one delivery. What becomes of it is recorded in the commit that acts on it, as rows of the
registry's table in files of their own.
"""

import pandera.polars as pa
import polars as pl

from schemas.gate import Gate

SEEN, CARRIED_OUT, WAITING, OPEN, CLOSED = "seen", "carried_out", "waiting", "open", "closed"
DECIDED, HEEDED, STEP_DONE = "decided", "heeded", "step_done"
REQUEST_EVENTS = (SEEN, CARRIED_OUT, WAITING, OPEN, CLOSED, DECIDED, HEEDED, STEP_DONE)

SAME, DIFFERENT, REJECT = "same", "different", "reject"
DECISIONS = (SAME, DIFFERENT, REJECT)
"""What an operator can say of a review case: the row is the registered device, it is another one, or it is refused."""

_MOMENT = pl.Datetime("us", "UTC")

DELIVERY = ("request_kind", "partner_id", "tenant_folder", "sha256")
"""What a delivery is known by, wherever its file lies. `tenant_folder` is null where the file names tenants itself."""

REQUEST_TYPES: dict[str, pl.DataType] = {
    "event": pl.String(),
    "version": pl.Int64(),
    "run_id": pl.String(),
    "request_kind": pl.String(),
    "partner_id": pl.String(),
    "tenant_folder": pl.String(),
    "sha256": pl.String(),
    "source_file": pl.String(),
    "bytes": pl.Int64(),
    "stamp": pl.String(),
    "opened": pl.Int64(),
    "line": pl.Int64(),
    "request_id": pl.String(),
    "device_id": pl.String(),
    "tenant_id": pl.String(),
    "identity_key": pl.Int64(),
    "manufacturer": pl.String(),
    "keys": pl.List(pl.Int64),
    "reason": pl.String(),
    "waits_for": pl.List(pl.String),
    "waits_on": pl.List(pl.String),
    "asked": _MOMENT,
    "waits_from": _MOMENT,
    "first_run": pl.String(),
    "since": _MOMENT,
    "first_night": pl.Int64(),
    "is_mended": pl.Boolean(),
    "decision": pl.String(),
    "decided_on": pl.List(pl.String),
    "decided_by": pl.String(),
    "decided_at": _MOMENT,
    "step": pl.String(),
    "ended_in": pl.Int64(),
    "said_by": pl.String(),
    "said_at": _MOMENT,
}
"""Columns of all events.

- `seen`: a file was read. The four of `DELIVERY` (`sha256` null where it could not be read to its end), `source_file`,
  `bytes`, `stamp`, by which the file at that path is taken for the same bytes the next time, and `opened`, the
  registry's version that the run had opened.
- `carried_out`: a request has done what it asked for: `request_id` (null where it is the device's id), the `device_id`
  that it registered or found registered, `tenant_id`, and `identity_key`, which stands for its identity cells.
- `waiting` or `open`: a request was refused. A waiting one is decided again in every run while its file lies there,
  an open one is final, and remembered for the people who have to act. `DELIVERY`, `line`, `source_file`, `tenant_id`,
  `reason`; `waits_for`, what could mend it; `waits_on`, the registrations of its tenant in its way; `asked`, the
  moment of the run that read it first, and `waits_from`, that from which its waiting counts; `keys` and
  `manufacturer`, by which a later row of the same device is known; `first_run`, `since` and `first_night`, when one
  was refused first (a night is a run that was committed). A waiting one that `is_mended` waits on, but nobody has to
  act: another row of its device was carried out.
- `closed`: a request (`request_id`) is none of both any more.
- `decided`: an operator's word on a request that was a review case of the run `run_id`: `decision`, one of `DECISIONS`;
  `decided_on`, the registrations that it is about, and of a `same` the one of them that the row is, `device_id`;
  `decided_by` and `decided_at`; what the request is, as where it waits.
- `heeded`: a run has decided the request (`request_id`) by the word on it.
- `step_done`: somebody has said that a `step` (`schemas.steps`) of a registration that ended is done: `device_id`,
  `ended_in`, the version that ended it (null where that is not known), `said_by` and `said_at`.

The latest event of a request counts; so does, apart from it, the latest word on it.
"""

REQUEST_EVENT = Gate(
    {name: pa.Column(dtype, nullable=name != "event") for name, dtype in REQUEST_TYPES.items()},
    checks=[
        pa.Check(lambda data: data.lazyframe.select(pl.col("event").is_in(list(REQUEST_EVENTS))), name="a known event"),
        pa.Check(
            lambda data: data.lazyframe.select(
                pl.col("event").is_in([SEEN, CARRIED_OUT, STEP_DONE]) | pl.col("request_id").is_not_null()
            ),
            name="a request that was refused has an id",
        ),
        pa.Check(
            lambda data: data.lazyframe.select(
                (pl.col("event") != DECIDED)
                | (pl.col("decision").is_in(list(DECISIONS)) & pl.col("decided_by").is_not_null())
            ),
            name="a word on a request is a known one, and somebody's",
        ),
        pa.Check(
            lambda data: data.lazyframe.select((pl.col("event") != CARRIED_OUT) | pl.col("device_id").is_not_null()),
            name="a request that was carried out has a device",
        ),
        pa.Check(
            lambda data: data.lazyframe.select(
                (pl.col("event") != STEP_DONE)
                | pl.all_horizontal(pl.col("device_id", "step", "said_by", "said_at").is_not_null())
            ),
            name="a step that is done has a device, and somebody who said so",
        ),
    ],
)
"""One row is one event of one delivery or request. Rows are only ever added."""
