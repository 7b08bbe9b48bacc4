"""The section of params.yaml about the gate: when a newly trained model takes the place of the one in use."""

from typing import Annotated

from pydantic import Field

from llp_core.names import Method
from llp_core.section import Positive, Section, Share

Bound = Annotated[float, Field(gt=0)]


class GateParams(Section):
    """What a candidate must hold to come into use."""

    method: Method
    """The student that is judged, and served."""
    tolerance: Share
    """A candidate may lie below the model in use by this much, in Hits@20 or MRR as a share, in any group of edges.
    Farther below it may lie only where chance explains it: where the 95 % interval of the difference reaches 0."""
    floor_hits_at_20: Share
    """With no model in use: Hits@20 on all test edges of each setting is at least this."""
    floor_mrr: Share
    """With no model in use: MRR on all test edges of each setting is at least this."""
    request_pairs: Positive
    """Size of the online request whose latency is bounded, in node pairs; one of latency.pairs."""
    max_p99_ms: Bound
    """At most this many milliseconds for 99 of 100 such requests, in each setting."""
    max_mb: Bound
    """At most this many megabytes (1,000,000 bytes) for the weights of one setting and the encoder of features."""
    max_psi: Bound
    """A population stability index above this, of degrees or of a feature, counts as drift. The usual reading: below
    0.1 the same, 0.1 to 0.25 somewhat moved, above it moved."""
