"""Made-up nights with known truth: believable devices, what happens to them, and what happens to their manifests."""

from pipeline.synthesize.writing import synthesize

__all__ = ["synthesize"]
