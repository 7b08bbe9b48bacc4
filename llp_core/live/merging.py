"""A batch of files put into the live graph: each as a whole or not at all, those at fault found."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from llp_core.errors import InputError, is_of_the_machine
from llp_core.live.changes import NodeChange, read_change
from llp_core.live.graph import LiveGraph, UnknownNode, changed
from llp_core.live.intake import Offer
from llp_core.live.records import Counts

Check = Callable[[LiveGraph], str | None]
"""What is wrong with a graph as a whole, in words; None where nothing is."""


@dataclass(frozen=True, eq=False)
class Merged:
    """What came of a batch.

    Attributes:
        graph: with all that was taken.
        taken: what each file changed, in the order they were taken.
        refused: why the others were not.
    """

    graph: LiveGraph
    taken: Mapping[Offer, Counts]
    refused: Mapping[Offer, str]


def merge(live: LiveGraph, batch: Sequence[Offer]) -> Merged:
    """Takes file after file. Edges that name a node that is not there wait for the files of nodes that follow."""
    graph, taken, refused = live, dict[Offer, Counts](), dict[Offer, str]()
    waiting: list[Offer] = []
    todo = list(batch)
    while todo:
        offer = todo.pop(0)
        try:
            change = read_change(offer.staged, offer.shown, graph)
            graph, taken[offer] = changed(graph, change)
        except UnknownNode as error:
            waiting.append(offer)
            refused[offer] = str(error)
            continue
        except InputError as error:
            refused[offer] = str(error)
            continue
        except Exception as error:  # whatever a file holds, it must not keep the others out
            if is_of_the_machine(error):
                raise
            refused[offer] = f"{offer.shown}: it cannot be read ({type(error).__name__}: {error})."
            continue
        if isinstance(change, NodeChange) and waiting:
            todo, waiting = waiting + todo, []
    return Merged(graph, taken, {offer: reason for offer, reason in refused.items() if offer not in taken})


def merge_sound(live: LiveGraph, batch: Sequence[Offer], check: Check) -> Merged:
    """As `merge`; where the graph as a whole does not hold after it, the files at fault are left out.

    Raises:
        InputError: the graph does not hold without any of them.
    """
    merged = merge(live, batch)
    problem = check(merged.graph) if any(merged.taken.values()) else None
    if problem is None:
        return merged
    if own := check(live):
        raise InputError(f"The live data itself does not hold what it must, so nothing was taken.\n{own}")
    told = "with it the graph as a whole does not hold what it must.\n"
    return _without_one(live, merged, check, told + problem) or _one_by_one(live, merged, check, told)


def _without_one(live: LiveGraph, merged: Merged, check: Check, reason: str) -> Merged | None:
    """What remains without the one file at fault; None where there are several."""
    for offer in reversed(list(merged.taken)):
        rest = merge(live, [other for other in merged.taken if other is not offer])
        if check(rest.graph) is None:
            return Merged(rest.graph, rest.taken, {**merged.refused, **rest.refused, offer: reason})
    return None


def _one_by_one(live: LiveGraph, merged: Merged, check: Check, told: str) -> Merged:
    """Takes file after file, and leaves out each with which the graph does not hold."""
    sound, refused = Merged(live, {}, {}), dict(merged.refused)
    for offer in merged.taken:
        more = merge(live, [*sound.taken, offer])
        problem = more.refused.get(offer) or check(more.graph)
        if problem is None:
            sound = more
        else:
            refused[offer] = problem if offer in more.refused else told + problem
    return Merged(sound.graph, sound.taken, refused)
