"""How long a plan of layer orders for a big store takes, and how far from the best plans are.

    python bench/reorder.py [--images N] [--budget SECONDS]
    python bench/reorder.py --gap [--stores N]
    python bench/reorder.py --conflicts FOLDER

The store has N images (10,000) of six layers: 20 bases, 10 runtimes a base, packages that several
services install, a configuration, an application, often with metadata of its own; every third
image has its upper layers in another order, one pair in ten must stay. It is made in memory, and
must be planned within 60 s and 2 GB (exit code 1 where it is not).

``--gap`` compares the greedy plan, and the improved one, with the exact one over N (5,000) random
small stores, as a Markdown table. ``--conflicts`` times the relation of layers that do not commute
in a catalog, such as bench/report.py --catalog makes.
"""

import argparse
import random
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from dedupe.reorder import storage
from dedupe.reorder.exact import TooLargeError, exact_orders
from dedupe.reorder.greedy import greedy_orders
from dedupe.reorder.stack import Order, Stack, stack_of, unpacked_bytes
from dedupe.store.session import Session

_MOST_SECONDS, _MOST_BYTES = 60, 2_000_000_000
_MB = 1_000_000

_Store = tuple[list[Stack], list[int]]


def main() -> None:
    """Make the stores, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--budget", type=float, default=30)
    parser.add_argument("--gap", action="store_true")
    parser.add_argument("--stores", type=int, default=5_000)
    parser.add_argument("--conflicts", type=Path)
    given = parser.parse_args()
    if given.gap:
        _gaps(given.stores)
    elif given.conflicts:
        _conflicts(given.conflicts)
    else:
        _plan(*large_store(given.images), given.budget)


def large_store(images: int) -> _Store:
    """Images of a registry of many teams."""
    chance = random.Random(1)  # noqa: S311 - a sample, no secret
    numbers: dict[str, int] = {}
    sizes: list[int] = []

    def layer(name: str, least: int, most: int) -> int:
        if name not in numbers:
            numbers[name] = len(sizes)
            sizes.append(chance.randint(least * _MB, most * _MB))
        return numbers[name]

    stacks = []
    for image in range(images):
        service, tag = divmod(image, 20)
        base, runtime = service % 20, service % 200
        upper = [
            layer(f"packages {service // 3} {tag // 5}", 20, 300),
            layer(f"certificates {service % 40}", 0, 2),
            layer(f"models {service // 8}", 50, 500),
            layer(f"application {image}", 1, 20),
        ]
        if image % 3 == 0:
            chance.shuffle(upper)
        layers = [
            layer(f"base {base}", 30, 120),
            layer(f"runtime {base} {runtime}", 50, 400),
            *upper,
        ]
        held = {(0, high) for high in range(1, 6)}
        held |= {
            (low, high) for high in range(2, 6) for low in range(1, high) if chance.random() < 0.1
        }
        stacks.append(stack_of(layers, sorted(held)))
    return stacks, sizes


def _plan(stacks: Sequence[Stack], sizes: Sequence[int], budget: float) -> None:
    """Plan a store; exits with 1 where that takes too much."""
    print(f"{len(stacks):,} images, {sum(len(each.layers) for each in stacks):,} layers in place")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    started = time.perf_counter()
    orders = storage.storage_orders(stacks, sizes, budget)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if not all(stack.allows(order) for stack, order in zip(stacks, orders, strict=True)):
        sys.exit("an order is not allowed")
    bound = sum(sizes[layer] for layer in {layer for each in stacks for layer in each.layers})
    today = unpacked_bytes(stacks, [stack.today for stack in stacks], sizes)
    greedy = min(unpacked_bytes(stacks, each, sizes) for each in _greedy(stacks, sizes))
    planned = unpacked_bytes(stacks, orders, sizes)
    moved = sum(order != stack.today for stack, order in zip(stacks, orders, strict=True))
    print(f"{seconds:.1f} s with a budget of {budget:g} s")
    print(f"peak {peak / 1e6:,.0f} MB, of which {before / 1e6:,.0f} MB before")
    for name, figure in (
        ("today", today),
        ("greedy", greedy),
        ("planned", planned),
        ("each layer once", bound),
    ):
        print(f"{name:15} {figure:>20,} bytes")
    print(f"{moved:,} images in another order")
    if seconds > _MOST_SECONDS or peak > _MOST_BYTES:
        sys.exit(f"more than {_MOST_SECONDS} s or {_MOST_BYTES:,} bytes")


def _greedy(stacks: Sequence[Stack], sizes: Sequence[int]) -> list[list[Order]]:
    return [greedy_orders(stacks, sizes, ahead=ahead) for ahead in (False, True)]


def small_store(chance: random.Random, most_stacks: int, tallest: int) -> _Store:
    """Stacks with layers in common, a base below most, some pairs that must stay."""
    pool = tallest + 3
    sizes = [chance.choice([0, 1, 5, 20, 50, 100, 200]) for _ in range(pool)]
    stacks = []
    for _ in range(chance.randint(2, most_stacks)):
        layers = chance.sample(range(1, pool), chance.randint(2, tallest - 1))
        pairs = {
            (low, high)
            for high in range(len(layers))
            for low in range(high)
            if chance.random() < 0.25
        }
        if chance.random() < 0.7:
            layers = [0, *layers]
            pairs = {(low + 1, high + 1) for low, high in pairs}
            pairs |= {(0, high) for high in range(1, len(layers))}
        stacks.append(stack_of(layers, sorted(pairs)))
    return stacks, sizes


def _gaps(stores: int) -> None:
    """Print how much more than the least each way of planning stores."""
    chance = random.Random(1)  # noqa: S311 - a sample, no secret
    ways: dict[str, Callable[[_Store], list[list[Order]]]] = {
        "today": lambda store: [[stack.today for stack in store[0]]],
        "greedy": lambda store: _greedy(*store),
        "greedy, improved": lambda store: [storage.storage_orders(*store, 0)],
        "searched for 0.1 s": lambda store: [storage.storage_orders(*store, 0.1)],
    }
    # so that the search is measured, not the exact planner that small stores get
    storage.EXACT_STACKS = 0
    print("| stores of | stores | plan | best | median gap | 95th percentile | worst |")
    print("|---|---:|---|---:|---:|---:|---:|")
    for most_stacks, tallest in ((5, 5), (6, 6)):
        gaps: dict[str, list[float]] = {way: [] for way in ways}
        while len(gaps["today"]) < stores // 2:
            store = small_store(chance, most_stacks, tallest)
            try:
                best = unpacked_bytes(store[0], exact_orders(*store, 50_000), store[1])
            except TooLargeError:
                continue
            for way, plans in ways.items():
                least = min(unpacked_bytes(store[0], each, store[1]) for each in plans(store))
                gaps[way].append(least / best - 1 if best else 0.0)
        for way, found in gaps.items():
            found.sort()
            print(
                f"| up to {most_stacks} images of {tallest} layers | {len(found):,} | {way}"
                f" | {sum(gap == 0 for gap in found) / len(found):.1%} | {median(found):.2%}"
                f" | {found[int(len(found) * 0.95)]:.2%} | {found[-1]:.2%} |"
            )


def _conflicts(catalog: Path) -> None:
    """Print how long the layers that do not commute take."""
    session = Session(catalog)
    started = time.perf_counter()
    ((images, layers),) = session.ask(
        "SELECT count(*), (SELECT count(*) FROM stack) FROM image"
    ).rows
    print(f"{images:,} images, {layers:,} layers: {time.perf_counter() - started:.1f} s")
    started = time.perf_counter()
    (row,) = session.ask("SELECT count(*), (SELECT count(*) FROM layer_pair) FROM conflict").rows
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"{row[0]:,} of {row[1]:,} pairs held: {seconds:.1f} s, peak {peak / 1e6:,.0f} MB")


if __name__ == "__main__":
    main()
