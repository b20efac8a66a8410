"""The table of all settings."""

from pathlib import Path

from pipeline.settings.of_engine import OF_ENGINE
from pipeline.settings.of_registry import OF_REGISTRY, OTHER_RECORDS, RECORDS
from pipeline.settings.of_review import OF_REVIEW, REVIEW
from pipeline.settings.of_stores import OF_STORES
from pipeline.settings.setting import Kind, Scope, Setting

GROUP_TAG_LIMIT = 128
"""Characters of a group tag: nothing is documented, and public validators use 64 or 128."""

WAIT_DAYS = 90
"""Days that a request waits for consent, settings or the registry: a quarter, in which such things are settled."""

DEPARTURE_LIMIT = 0.25
"""Largest share of a tenant's registrations that one run ends: a quarter of a customer's devices do not leave in a
night, and a list that says so may be another list."""

FILE_LIMIT = 8 << 30
"""Bytes of text of the largest manifest: two million rows, or what a decompression bomb has grown to."""

ROW_LIMIT = 5_000_000
"""Lines of the longest manifest: a row of one letter costs as much memory as any other, and compresses to nothing."""

_REFERENCE = "partners, authorizations, tenants, exclusions, profiles"
_SHOWN = ("report", "explain", "runs list", "runs show", "runs prune", "doctor")

SETTINGS = (
    Setting(
        "reference",
        Kind.LOCATION,
        ("run",),
        _REFERENCE,
        otherwise="beside the first inbox",
        example='"reference"',
    ),
    Setting(
        "registry",
        Kind.LOCATION,
        ("run",),
        "existing device records; made at the default place where no published run knows of one",
        otherwise="beside the first inbox",
        example='"registry"',
    ),
    Setting(
        "reference",
        Kind.LOCATION,
        ("check",),
        _REFERENCE,
        otherwise="none: authorization is not checked",
        example='"reference"',
    ),
    Setting(
        "registry",
        Kind.LOCATION,
        ("check",),
        "existing device records",
        otherwise="none: what is registered is not looked at",
        example='"registry"',
    ),
    Setting(
        "partner",
        Kind.TEXT,
        ("check",),
        "who would deliver the files",
        otherwise="the folder above the tenant's",
        example='"contoso"',
    ),
    Setting(
        "tenant",
        Kind.TEXT,
        ("check",),
        "whose devices they hold, for files without a tenant column",
        otherwise="the nearest folder that is a GUID",
        example='"8f2c6a1e-5b1d-4c3e-9a70-2d4e6f801357"',
    ),
    Setting("create-registry", Kind.FLAG, ("run",), "create the registry where there is none", default=False),
    Setting(
        "accept-restored",
        Kind.FLAG,
        ("run",),
        "go on with a registry that is older than published runs know, or gone, and say what is lost",
        default=False,
    ),
    Setting(
        "output",
        Kind.LOCATION,
        ("run",),
        "where runs are published",
        otherwise="runs/ beside the first inbox",
        example='"runs"',
    ),
    Setting(
        "as-of",
        Kind.MOMENT,
        ("run", "check"),
        "the moment at which authorization is decided, RFC 3339",
        otherwise="now",
        example="2026-01-31T00:00:00Z",
    ),
    Setting(
        "run-id",
        Kind.TEXT,
        ("run",),
        "name of the run; one that was committed is not run again",
        otherwise="from the clock",
        shape="ID",
        example='"2026-01-31"',
    ),
    *OF_ENGINE,
    Setting(
        "reprocess",
        Kind.FLAG,
        ("run",),
        "decide again what was final; what was carried out stays so",
        default=False,
    ),
    Setting(
        "wait-days",
        Kind.COUNT,
        ("run",),
        "how long a request waits for consent, settings or the registry; then it is final",
        default=WAIT_DAYS,
    ),
    Setting(
        "departure-limit",
        Kind.SHARE,
        ("run",),
        "largest share of a tenant's registrations that one run ends (more than 20 of them); what would be more waits",
        default=DEPARTURE_LIMIT,
    ),
    Setting("dry-run", Kind.FLAG, ("run",), "do everything but register; the result is under dry-run/", default=False),
    Setting(
        "max-reject-rate",
        Kind.SHARE,
        ("run",),
        "exit with 1, and say so, when more than this share of the rows decided for the first time was rejected",
        example="0.2",
    ),
    Setting("group-tag-limit", Kind.COUNT, ("run", "check"), "most characters of a group tag", default=GROUP_TAG_LIMIT),
    Setting(
        "file-limit",
        Kind.SIZE,
        ("run",),
        "most bytes of text of one manifest, once decompressed; a larger one is FILE_TOO_LARGE",
        default=FILE_LIMIT,
    ),
    Setting(
        "row-limit",
        Kind.COUNT,
        ("run",),
        "most lines of one manifest below its first; a longer one is FILE_TOO_LARGE",
        default=ROW_LIMIT,
        shape="ROWS",
    ),
    Setting(
        "shared",
        Kind.FLAG,
        ("run",),
        "let the umask decide who may read what is published, not its owner alone",
        default=False,
    ),
    Setting(
        "quiet",
        Kind.FLAG,
        ("run",),
        "say nothing but errors, and what is beyond --max-reject-rate; other formats than text are told all the same",
        default=False,
    ),
    Setting(
        "log-format",
        Kind.CHOICE,
        ("run",),
        "what goes to standard error: text, or one JSON object a line",
        default="text",
        choices=("text", "json"),
    ),
    Setting(
        "metrics",
        Kind.FILE,
        ("run",),
        "write figures for Prometheus to this file, at once",
        example='"intake.prom"',
    ),
    Setting(
        "format",
        Kind.CHOICE,
        ("run", "check"),
        "what goes to standard output; jsonl, junit and sarif tell each finding, for other programs",
        default="text",
        choices=("text", "json", "jsonl", "junit", "sarif"),
        python="form",
    ),
    Setting("row", Kind.COUNT, ("inspect",), "which row of a manifest", default=1),
    Setting(
        "unmask",
        Kind.FLAG,
        ("inspect",),
        "show identities whole: keys, UUIDs, addresses, serial numbers of parts",
        default=False,
    ),
    Setting(
        "run",
        Kind.TEXT,
        ("explain",),
        "explain the reasons and warnings of this published run",
        shape="RUN_ID",
        python="run_id",
        example='"2026-01-31"',
    ),
    Setting(
        "older-than",
        Kind.COUNT,
        ("runs prune",),
        "remove runs that were finished more than so many days ago",
        least=0,
        shape="DAYS",
        is_required=True,
        scope=Scope.COMMAND,
        example="30",
    ),
    *OF_REGISTRY,
    *OF_REVIEW,
    *OF_STORES,
    Setting(
        "dry-run",
        Kind.FLAG,
        ("registry remove", "registry vacuum", "runs prune"),
        "only tell what would be removed",
        default=False,
    ),
    Setting("reference", Kind.LOCATION, ("doctor",), _REFERENCE, default=Path("reference")),
    Setting(
        "registry",
        Kind.LOCATION,
        (*RECORDS, *OTHER_RECORDS, "doctor", *REVIEW),
        "existing device records",
        default=Path("registry"),
    ),
    Setting("output", Kind.LOCATION, (*_SHOWN, *REVIEW), "where runs are published", default=Path("runs")),
    Setting(
        "output",
        Kind.LOCATION,
        ("registry verify",),
        "published runs, to be held against the registry",
        example='"runs"',
    ),
    Setting("all", Kind.FLAG, ("report",), "make the pages of every run anew, too", default=False, python="every"),
    Setting("rows", Kind.COUNT, ("synthesize",), "about how many rows", default=1_000),
    Setting("existing", Kind.COUNT, ("synthesize",), "registered devices", default=200, least=0),
    Setting("rows", Kind.COUNT, ("evaluate",), "rows of a night and its second, about", default=2_000),
    Setting("existing", Kind.COUNT, ("evaluate",), "registered devices", default=2_000, least=0),
    Setting("seed", Kind.SEED, ("synthesize",), "the same seed gives the same night", default=1),
    Setting("seed", Kind.SEED, ("evaluate",), "seed of the first night; the others follow it", default=1),
    Setting("nights", Kind.COUNT, ("evaluate",), "how many nights, each with a second", default=1),
    Setting(
        "format",
        Kind.CHOICE,
        (
            *("inspect", "explain", "doctor", "evaluate", "config show", "runs list", "runs show", "runs prune"),
            *RECORDS,
            *REVIEW,
            "registry steps done",
        ),
        "what goes to standard output",
        default="text",
        choices=("text", "json"),
        python="form",
    ),
)
"""Every option of every command but `--config`, in the order in which help and tables have them."""

INBOX = Setting("inbox", Kind.LOCATION, ("run", "doctor"), "where partners deliver: <partner_id>/[<tenant_id>/]...")
"""The argument of `run` and `doctor`, which is a setting where it is not given."""

NAMES = tuple(dict.fromkeys([INBOX.name, *(setting.name for setting in SETTINGS if setting.scope is Scope.EVERYWHERE)]))
"""Settings that a file has at its top."""

COMMANDS = tuple(dict.fromkeys(command for setting in SETTINGS for command in setting.commands))
"""Commands that have settings of their own, as they are typed."""


def settings_of(command: str) -> list[Setting]:
    """The options of a command."""
    return [setting for setting in SETTINGS if command in setting.commands]
