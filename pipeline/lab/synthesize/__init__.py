"""Made-up nights with known truth: believable devices, what happens to them, and what happens to their manifests."""

from pipeline.lab.synthesize.writing import DEPARTURE_STORIES, MATCHING_STORIES, synthesize

__all__ = ["DEPARTURE_STORIES", "MATCHING_STORIES", "synthesize"]
