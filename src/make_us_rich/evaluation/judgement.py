"""The record of the gate; it lies in the domain, since the model card, which serving reads, is made of it."""

from make_us_rich.domain.judgement import Judged, Judgement

__all__ = ["Judged", "Judgement"]
