"""Everything that a run can be told, in one frozen value. Nothing below the command line reads anything else."""

import re
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from itertools import permutations, product
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.settings import (
    DEPARTURE_LIMIT,
    FILE_LIMIT,
    GROUP_TAG_LIMIT,
    HERE,
    INBOX,
    ROW_LIMIT,
    WAIT_DAYS,
    require_engine,
    settings_of,
)
from pipeline.storage.locations import Location, below, is_uri, lies_in, parent

RUN_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")
DRY_RUNS = "dry-run"
"""Folder of the output that holds dry runs, hence no id of a run."""

_RUN = {setting.parameter: setting for setting in settings_of("run")}
_NAMED = ("reference", "registry", "output", "as_of", "run_id")
"""Settings of which something holds wherever nothing is said."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of one manifest is read.

    Attributes:
        text: most bytes of text.
        rows: most lines below its first.
    """

    text: int = FILE_LIMIT
    rows: int = ROW_LIMIT


@dataclass(frozen=True, slots=True)
class RunConfig:
    """What to run.

    Attributes:
        inboxes: folders laid out `<partner_id>/[<tenant_id>/]...`. Each location may be a URI of an object store.
        reference: folder of partners, authorizations, tenants, exclusions; `reference/` beside the first inbox.
        registry: folder of the existing device records; `registry/` beside the first inbox.
        output: folder where runs are published; `runs/` beside the first inbox.
        as_of: the moment at which authorization is decided; now.
        run_id: name of the run, unique for good; from the clock.
        create_registry: create the registry where there is none, even elsewhere than at the default place.
        accept_restored: go on with a registry that is older than what published runs know, or gone.
        reprocess: decide again what was final; what was carried out stays so.
        wait_days: how long a request waits, from the run that read it first; then it is final.
        departure_limit: the largest share of a tenant's registrations that the run ends.
        cache: folder where what comes from object stores is kept between runs; None for nowhere.
        engine: where the work runs, `polars` for this machine, `spark` for a cluster.
        spark_master: the cluster; None for that of the session that is active.
        dry_run: do everything but commit.
        group_tag_limit: most characters of a group tag.
        workers: processes that read manifests; 1 for none but this, None for as many as the work is worth.
        limits: how much of one manifest is read; of one that is larger nothing is.
        shared: let the umask decide who may read what is published; else nobody but its owner may.

    Raises:
        UsageError: a value is not usable.
    """

    inboxes: tuple[Location, ...]
    reference: Location
    registry: Location
    output: Location
    as_of: datetime
    run_id: str
    create_registry: bool = False
    reprocess: bool = False
    wait_days: int = WAIT_DAYS
    dry_run: bool = False
    group_tag_limit: int = GROUP_TAG_LIMIT
    workers: int | None = None
    limits: Limits = Limits()
    shared: bool = False
    accept_restored: bool = False
    departure_limit: float = DEPARTURE_LIMIT
    cache: Path | None = None
    engine: str = HERE
    spark_master: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be run."""
        self._require_types()
        if not self.inboxes:
            message = "no inbox given; name the folder that holds <partner_id>/ folders"
            raise UsageError(message)
        self._require_apart()
        if not RUN_ID.fullmatch(self.run_id) or self.run_id == DRY_RUNS:
            message = (
                f"run id {self.run_id!r}: expected 1 to 64 of A-Z a-z 0-9 . _ -, not beginning with a dot, "
                f"and not {DRY_RUNS!r}"
            )
            raise UsageError(message)
        if self.as_of.tzinfo is None:
            message = f"as-of {self.as_of.isoformat()}: has no time zone; add Z for UTC"
            raise UsageError(message)
        self._require_engine()

    @property
    def registry_is_beside(self) -> bool:
        """Whether the registry is at its default place."""
        home = parent(self.inboxes[0])
        return home is not None and _resolved(self.registry) == below(home, "registry")

    def _require_types(self) -> None:
        given = {one.name: getattr(self, one.name) for one in fields(self)}
        inboxes, limits = given.pop("inboxes"), given.pop("limits")
        if not isinstance(inboxes, tuple) or not isinstance(limits, Limits):
            message = f"inboxes {inboxes!r}, limits {limits!r}: expected a tuple of locations, and Limits"
            raise UsageError(message)
        _require_types(inboxes, given | {"file_limit": limits.text, "row_limit": limits.rows})
        for name in _NAMED:
            if given[name] is None:
                message = f"{name}: not given; expected {_RUN[name].expected}"
                raise UsageError(message)

    def _require_apart(self) -> None:
        if lies_in(self.output, self.registry) or lies_in(self.registry, self.output):
            message = (
                f"output {self.output}: and the registry {self.registry} lie in one another; name folders side by side"
            )
            raise UsageError(message)
        for inbox, other in permutations(self.inboxes, 2):
            if lies_in(inbox, other):
                message = f"inbox {inbox}: lies inside the inbox {other}; name only one of them"
                raise UsageError(message)
        places = {"output": self.output, "registry": self.registry, "reference": self.reference}
        for (name, place), inbox in product(places.items(), self.inboxes):
            if lies_in(place, inbox):
                message = f"{name} {place}: lies inside the inbox {inbox}; its files would be read as manifests"
                raise UsageError(message)

    def _require_engine(self) -> None:
        require_engine(self.engine, self.spark_master)
        if self.engine == HERE:
            return
        if self.workers is not None:
            message = "--workers: are processes of this machine; leave it away with --engine spark"
            raise UsageError(message)
        for place in (*self.inboxes, self.registry, self.output):
            if not is_uri(place) and not Path(place).is_absolute():
                message = f"{place}: executors of a cluster work in other folders; name it from the root on"
                raise UsageError(message)

    @classmethod
    def beside(  # noqa: PLR0913 - the options of a run, all optional
        cls,
        *inboxes: Location,
        reference: Location | None = None,
        registry: Location | None = None,
        output: Location | None = None,
        as_of: datetime | None = None,
        run_id: str | None = None,
        create_registry: bool = False,
        reprocess: bool = False,
        wait_days: int = WAIT_DAYS,
        dry_run: bool = False,
        group_tag_limit: int = GROUP_TAG_LIMIT,
        workers: int | None = None,
        file_limit: int = FILE_LIMIT,
        row_limit: int = ROW_LIMIT,
        shared: bool = False,
        accept_restored: bool = False,
        departure_limit: float = DEPARTURE_LIMIT,
        cache: Path | None = None,
        engine: str = HERE,
        spark_master: str | None = None,
    ) -> "RunConfig":
        """A configuration whose places default to those beside the first inbox, and whose moment to now."""
        _require_types(inboxes, {"reference": reference, "registry": registry, "output": output, "as_of": as_of})
        placed = _placed if engine == HERE else _placed_from_root
        inboxes = tuple(placed(inbox) for inbox in inboxes)
        reference, registry, output = (place and placed(place) for place in (reference, registry, output))
        now = datetime.now(UTC)
        home = _home(inboxes, is_needed=not (reference and registry and output))
        beside = below(home, "registry")
        at_home = registry is None or _resolved(registry) == beside
        return cls(
            inboxes=inboxes,
            reference=reference or below(home, "reference"),
            registry=registry or beside,
            output=output or below(home, "runs"),
            as_of=(as_of or now),
            run_id=now.strftime("%Y%m%dT%H%M%S.%fZ") if run_id is None else run_id,
            create_registry=create_registry or at_home,
            reprocess=reprocess,
            wait_days=wait_days,
            dry_run=dry_run,
            group_tag_limit=group_tag_limit,
            workers=workers,
            limits=Limits(file_limit, row_limit),
            shared=shared,
            accept_restored=accept_restored,
            departure_limit=departure_limit,
            cache=cache,
            engine=engine,
            spark_master=spark_master,
        )


def _require_types(inboxes: tuple[object, ...], given: dict[str, object]) -> None:
    """Refuse values of another type than a setting's, before anything is done with them."""
    for place in inboxes:
        if place is None or not INBOX.accepts(place):
            message = f"inbox {place!r}: expected {INBOX.expected}"
            raise UsageError(message)
    for name, value in given.items():
        if not _RUN[name].accepts(value):
            message = f"{name} {value!r}: expected {_RUN[name].expected}"
            raise UsageError(message)


def _placed(location: Location) -> Location:
    """A location, of which text that is no URI is a folder here."""
    return location if is_uri(location) else Path(location)


def _placed_from_root(location: Location) -> Location:
    """The same, wherever the process works that reads it."""
    return location if is_uri(location) else Path(location).absolute()


def _resolved(location: Location) -> Location:
    return location if is_uri(location) else Path(location).resolve()


def _home(inboxes: tuple[Location, ...], *, is_needed: bool) -> Location:
    """What the places that are not named lie in."""
    if not inboxes:
        return Path()
    home = parent(inboxes[0])
    if home is None and is_needed:
        message = f"inbox {inboxes[0]}: nothing lies beside it; name --reference, --registry and --output"
        raise UsageError(message)
    return inboxes[0] if home is None else home


def require_config(config: object) -> None:
    """Refuse what is no configuration of a run.

    Raises:
        UsageError: it is something else.
    """
    if not isinstance(config, RunConfig):
        message = f"run of {type(config).__name__}: expected a RunConfig, such as RunConfig.beside(Path('inbox'))"
        raise UsageError(message)


def parse_moment(text: str) -> datetime:
    """An RFC 3339 timestamp, in UTC.

    Raises:
        UsageError: it is none, or has no time zone.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        message = f"timestamp {text!r}: expected RFC 3339, such as 2026-01-31T00:00:00Z"
        raise UsageError(message) from error
    if moment.tzinfo is None:
        message = f"timestamp {text!r}: has no time zone; add Z for UTC"
        raise UsageError(message)
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        message = f"timestamp {text!r}: has no date in UTC; expected the years 1 to 9999"
        raise UsageError(message) from error
