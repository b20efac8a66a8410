"""Settings that only `review decide` knows: what an operator says of one case, this once."""

from pipeline.settings.setting import Kind, Scope, Setting

REVIEW = ("review list", "review show", "review decide")

_DECIDE = ("review decide",)

OF_REVIEW = (
    Setting(
        "same",
        Kind.FLAG,
        _DECIDE,
        "the row is the registered device: it counts as that registration",
        default=False,
        scope=Scope.FLAG,
    ),
    Setting(
        "different",
        Kind.FLAG,
        _DECIDE,
        "the row is another device than the registrations that it met",
        default=False,
        scope=Scope.FLAG,
    ),
    Setting("reject", Kind.FLAG, _DECIDE, "the row is refused for good", default=False, scope=Scope.FLAG),
    Setting("by", Kind.TEXT, _DECIDE, "who decides; kept in the history", is_required=True, scope=Scope.FLAG),
    Setting(
        "device",
        Kind.TEXT,
        _DECIDE,
        "which registration the row is, where it met several",
        shape="DEVICE_ID",
        scope=Scope.FLAG,
    ),
)
