"""The front of the flow: manifests to judged rows, in bounded memory.

The wide part of a row goes to staging as soon as it is decoded. What is kept is what matching and deciding need.
"""

from pipeline.intake.judging import ROW_TYPES, Rulebook, judge
from pipeline.intake.stage import Delivered
from pipeline.intake.taking import Intake, Work, take_in

__all__ = ["ROW_TYPES", "Delivered", "Intake", "Rulebook", "Work", "judge", "take_in"]
