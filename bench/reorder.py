"""Measure how long a plan of layer orders takes for a big store, and how near to the best it comes.

    python bench/reorder.py [--images N] [--budget SECONDS]
    python bench/reorder.py --gap [--stores N]
    python bench/reorder.py --conflicts FOLDER

The store has N images (10,000) of six layers: one of 20 bases, one of 10 runtimes per base,
packages, certificates and models that several services share, and an application. Every third image
has its upper layers in another order, and one pair of layers in ten must keep its order. The store
is made in memory; planning it must take at most 60 s and 2 GB, or the exit code is 1.

``--gap`` compares the greedy, the improved and the searched plan with the exact one over N (5,000)
random small stores, as a Markdown table. ``--conflicts`` measures the relation of layers that do
not commute in a catalog, such as bench/synthetic.py makes.
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
    """Make the stores, measure and print."""
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
    """Return the stacks and layer sizes of a registry of many teams."""
    chance = random.Random(1)  # noqa: S311 - a sample, not a secret
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
    """Plan a store; exits with 1 if that takes too much time or memory."""
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
    """Return stacks with layers in common, most on one base, with some pairs that must stay."""
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
    """Print how much more than the exact plan each way of planning stores."""
    chance = random.Random(1)  # noqa: S311 - a sample, not a secret
    ways: dict[str, Callable[[_Store], list[list[Order]]]] = {
        "today": lambda store: [[stack.today for stack in store[0]]],
        "greedy": lambda store: _greedy(*store),
        "greedy, improved": lambda store: [storage.storage_orders(*store, 0)],
        "searched for 0.1 s": lambda store: [storage.storage_orders(*store, 0.1)],
    }
    # small stores are planned exactly by default, and the search would not be measured
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
    """Print how long finding the layers that do not commute takes."""
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
