"""What is declared of a reason or warning."""

from dataclasses import dataclass
from enum import StrEnum


class Family(StrEnum):
    """What a finding is about, in the order in which findings count: a row's primary reason is its first."""

    FILE = "file"
    RECORD = "record"
    TENANT = "tenant"
    AUTHORIZATION = "authorization"
    SECRETS = "secrets"
    IDENTITY = "identity"
    HASH = "hash"
    FIELDS = "fields"
    EXCLUSION = "exclusion"
    DEPARTURE = "departure"
    WITHIN_BATCH = "within the batch"
    AGAINST_REGISTRY = "against the registry"
    WARNING = "warning"


class Owner(StrEnum):
    """Who must act on a finding."""

    PARTNER = "partner"
    CUSTOMER = "customer"
    OPERATOR = "operator"


class Outcome(StrEnum):
    """What becomes of a rejected row."""

    INVALID = "invalid"
    UNAUTHORIZED = "unauthorized"
    EXCLUDED = "excluded"
    DUPLICATE = "duplicate"
    REVIEW = "review"
    STRUCTURE = "structure"
    NOT_REGISTERED = "not_registered"


class Waits(StrEnum):
    """What could mend a finding, so that its row is decided again: all but a new delivery do so while the row waits."""

    REFERENCE = "reference"
    SETTINGS = "settings"
    REGISTRY = "registry"
    DELIVERY = "delivery"


@dataclass(frozen=True, slots=True)
class Reason:
    """One finding that a row can have.

    Attributes:
        code: stable name, upper snake case.
        family: what it is about.
        sentence: what is wrong, in words that a partner understands.
        remedy: what to do next.
        owner: who must do it.
        outcome: what becomes of the row; None for a warning, with which the row is registered all the same.
        microsoft: the error that the deployment service would have given; empty where there is none.
        field: the column that it is about; `*` for whichever has it, empty for the whole line or file.
        expected: what would have been right there.
        waits_for: what could mend it; the row is final where that is a new delivery.
        of_file: every row of a file has it where one has, so that people are told it once.
        sent_whole: the file itself has to be sent again: its rows are not known to be whole, or to be rows.
        nothing_to_do: nobody has to act on it.
        to_decide: an operator can say which device the row is (`review decide`).
        only_of: of which rows alone this is said, a word; empty for what is said of all others with the code.
    """

    code: str
    family: Family
    sentence: str
    remedy: str
    owner: Owner
    outcome: Outcome | None
    microsoft: str = ""
    field: str = ""
    expected: str = ""
    waits_for: Waits = Waits.DELIVERY
    of_file: bool = False
    sent_whole: bool = False
    nothing_to_do: bool = False
    to_decide: bool = False
    only_of: str = ""

    @property
    def meaning(self) -> str:
        """The code, and of which rows alone this is said: what texts and people who must act are found by."""
        return f"{self.code}-{self.only_of}" if self.only_of else self.code

    @property
    def is_correctable(self) -> bool:
        """Whether a partner can mend it in the row and deliver that again, whether or not the row also waits.

        So are all for which only a new delivery helps, and those about the row's own cells, which reference data or a
        setting may mend as well.
        """
        is_mended_there = self.waits_for is Waits.DELIVERY or self.family in {Family.IDENTITY, Family.FIELDS}
        is_sent = self.owner is Owner.PARTNER and not self.sent_whole and not self.nothing_to_do
        return self.outcome is not None and is_mended_there and is_sent
