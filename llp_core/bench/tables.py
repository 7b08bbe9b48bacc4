"""A benchmark as tables, and as the page that explains them."""

from collections.abc import Iterator

from llp_core.bench.picture import quality_latency, times
from llp_core.bench.products import PRODUCTS
from llp_core.bench.result import MEANINGS, Benchmark, BenchRow, Regime
from llp_core.latency.measuring import OFFLINE_ROUNDS, ONLINE_ROUNDS
from llp_core.report.blocks import Block, Heading, Section, Table, Text
from llp_core.report.figures import ABSENT, milliseconds, share, times_with_interval

_HEADER = ("contestant", "p50", "p95", "p99", "first", "requests a second", "requests timed", "faster than full GNN")


def best_table(found: Benchmark) -> Table | None:
    """The fastest student of each size, cached or not, against the fastest of each other family; None without one."""
    if not found.best:
        return None
    rows = []
    for regime, pairs in _sizes(found):
        bests = [best for best in found.best if (best.regime, best.pairs) == (regime, pairs)]
        for name in dict.fromkeys(best.student for best in bests):
            student = next(row for row in found.of(regime, pairs) if row.method == name)
            own = [best for best in bests if best.student == name]
            against = {best.rival_family: f"{times_with_interval(*best.times)} {best.rival}" for best in own}
            rows.append((regime, f"{pairs:,}", name, _milliseconds(student.p50_seconds), against))
    families = list(dict.fromkeys(best.rival_family for best in found.best))
    return Table(
        "The fastest student: median milliseconds, and how many times faster than the fastest of each other family, "
        "with its 95 % interval",
        ("regime", "pairs", "student", "p50", *families),
        tuple((*cells, *(against.get(family, ABSENT) for family in families)) for *cells, against in rows),
    )


def latency_table(found: Benchmark, regime: Regime, pairs: int) -> Table:
    """Milliseconds of every contestant for requests of one size."""
    quality = any(row.hits_at_20 is not None for row in found.rows)
    memory = any(row.memory_mb is not None for row in found.rows)
    header = [*_HEADER, "share of the limit", *["Hits@20, %"] * quality, *["GPU memory, MB"] * memory]
    rows = []
    for row in found.of(regime, pairs):
        seconds = (row.p50_seconds, row.p95_seconds, row.p99_seconds, row.first_seconds)
        cells = [row.method, *map(_milliseconds, seconds), _count(row.per_second), f"{row.requests:,}"]
        cells.append(times_with_interval(row.faster, row.faster_low, row.faster_high))
        cells.append(ABSENT if row.limit_share is None else f"{100 * row.limit_share:.0f} %")
        cells += [share(row.hits_at_20)] * quality
        cells += [ABSENT if row.memory_mb is None else f"{row.memory_mb:,.0f}"] * memory
        rows.append(tuple(cells))
    faint = frozenset(number for number, row in enumerate(rows) if row[0] == PRODUCTS)
    caption = f"{regime.capitalize()}, {_pairs(pairs)} a request; milliseconds; {_threads(found.threads)}"
    return Table(caption, tuple(header), tuple(rows), faint=faint)


def loop_table(found: Benchmark) -> Table | None:
    """Requests a second and p99 of every contestant, with each number of workers; None where none were timed."""
    rows = found.of("closed loop")
    if not rows:
        return None
    workers = sorted({row.workers for row in rows})
    by_method: dict[str, dict[int, BenchRow]] = {}
    for row in rows:
        by_method.setdefault(row.method, {})[row.workers] = row
    header = [
        f"{what}, {count} worker{'s' * (count > 1)}" for count in workers for what in ("requests a second", "p99")
    ]
    cells = [
        (method, *(cell for count in workers for cell in _loop_cells(of.get(count))))
        for method, of in by_method.items()
    ]
    caption = f"Closed loop, {_pairs(rows[0].pairs)} a request; milliseconds; 1 thread a worker"
    return Table(caption, ("contestant", *header), tuple(cells))


def _loop_cells(row: BenchRow | None) -> tuple[str, str]:
    return (ABSENT, ABSENT) if row is None else (_count(row.per_second), _milliseconds(row.p99_seconds))


def entrants_table(found: Benchmark) -> Table:
    """What each contestant is, and why some did not run."""
    rows = [
        (
            one.name,
            one.family,
            "as its model" if one.exact else "approximate",
            one.note if one.ran else f"DID NOT RUN: {one.note}",
        )
        for one in found.entrants
    ]
    return Table("Contestants", ("contestant", "family", "scores", "what to know"), tuple(rows))


def tables(found: Benchmark) -> Iterator[Table]:
    """All tables of figures, in order."""
    by_size = (latency_table(found, regime, pairs) for regime, pairs in _sizes(found))
    yield from filter(None, (best_table(found), *by_size, loop_table(found)))


def sections(found: Benchmark) -> tuple[Section, ...]:
    """The page, section by section."""
    return (
        Section("Result", tuple(_result(found))),
        Section("Online", tuple(_of_regime(found, "online"))),
        Section("Offline", tuple(_of_regime(found, "offline"))),
        Section("Closed loop", tuple(_closed_loop(found))),
        Section("Contestants", (entrants_table(found),)),
        Section("How it was measured", tuple(_how(found))),
    )


def title(found: Benchmark) -> str:
    """Of the page."""
    return f"Latency: {found.name}"


def subtitle(found: Benchmark) -> str:
    """Sizes of graph and models, and what they ran on."""
    return (
        f"{found.nodes:,} nodes, {found.edges:,} edges, {found.features:,} features; teacher {found.encoder}, "
        f"{found.layers} layers of {found.hidden}; student {found.student_layers} layers of {found.student_hidden}; "
        f"{found.device}, {_threads(found.threads)}"
    )


def _result(found: Benchmark) -> Iterator[Block]:
    if any(entrant.hits_at_20 is not None for entrant in found.entrants):
        yield quality_latency(found)
    yield times(found)
    yield from filter(None, (best_table(found),))


def _of_regime(found: Benchmark, regime: Regime) -> Iterator[Block]:
    yield Text(f"{regime.capitalize()}: {MEANINGS[regime]}.")
    yield Text(f"{PRODUCTS.capitalize()}: {MEANINGS[PRODUCTS]}.")
    for one, pairs in _sizes(found):
        if one == regime:
            yield Heading(f"{_pairs(pairs)} a request")
            yield latency_table(found, regime, pairs)


def _closed_loop(found: Benchmark) -> Iterator[Block]:
    yield Text(f"Closed loop: {MEANINGS['closed loop']}.")
    loop = loop_table(found)
    yield from map(Text, found.notes)
    if loop is not None:
        yield loop


def _how(found: Benchmark) -> Iterator[Block]:
    yield Text(
        "Every contestant gets the same requests, in turn, in one run: in each round one after the other answers, the "
        "fast ones more requests than the slow ones, and another begins. The very first request of a size has a "
        "column of its own, the second is not counted. "
        f"Each contestant has about {found.seconds:g} seconds; rounds go on until the slowest has spent them, but "
        f"there are at least {ONLINE_ROUNDS} online and {OFFLINE_ROUNDS} offline. Under 100 requests p99 is the "
        "slowest."
    )
    yield Text(
        "A ratio is one of medians. Its interval comes from 1,000 bootstrap draws of rounds, both sides of the ratio "
        "from the same rounds. With a handful of rounds the interval is coarse: more seconds make it finer."
    )
    machine = found.machine
    rows = [
        ("device", found.device),
        ("threads", f"{found.threads} online and offline; 1 a worker in the closed loop"),
        ("processor", machine.cpu),
        ("cores", str(machine.cores)),
        ("memory, GiB", f"{machine.memory_gb:.1f}"),
        ("GPU", machine.gpu or "none"),
        ("seed", str(found.seed)),
        *machine.versions.items(),
    ]
    yield Table("Machine and versions", ("what", "value"), tuple(rows))


def _sizes(found: Benchmark) -> list[tuple[Regime, int]]:
    """Regime and request size of every table but the closed loop's."""
    return list(dict.fromkeys((row.regime, row.pairs) for row in found.rows if row.regime != "closed loop"))


def _milliseconds(seconds: float | None) -> str:
    if seconds is None:
        return ABSENT
    return milliseconds(seconds) if seconds >= 1e-4 else f"{1e3 * seconds:.4f}"


def _count(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _pairs(count: int) -> str:
    return f"{count:,} pair{'s' * (count > 1)}"


def _threads(count: int) -> str:
    return f"{count} thread{'s' * (count > 1)}"
