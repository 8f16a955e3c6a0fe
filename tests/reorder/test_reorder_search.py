"""Search over orders: they are allowed, cost what is claimed, and are near the optimum."""

import random
from itertools import permutations, product
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedupe.reorder.exact import TooLargeError, exact_orders
from dedupe.reorder.greedy import greedy_orders
from dedupe.reorder.pulls import expected_bytes, pull_order
from dedupe.reorder.stack import Stack, fixed_stack, stack_of, unpacked_bytes
from dedupe.reorder.storage import storage_orders
from dedupe.reorder.trie import Trie


@st.composite
def problems(draw, most_stacks=4, most_layers=5, tallest=4):
    """Stacks over a few layers, each with some pairs that must keep their order; sizes by layer."""
    sizes = draw(
        st.lists(st.integers(0, 9) | st.just(100), min_size=most_layers, max_size=most_layers)
    )
    number = st.integers(0, most_layers - 1)
    stacks = []
    for _ in range(draw(st.integers(1, most_stacks))):
        layers = draw(st.lists(number, min_size=1, max_size=tallest))
        pairs = [(low, high) for high in range(len(layers)) for low in range(high)]
        held = draw(st.lists(st.sampled_from(pairs), max_size=3)) if pairs else []
        # equal layers never swap
        held += [(low, high) for low, high in pairs if layers[low] == layers[high]]
        stacks.append(stack_of(layers, held))
    return stacks, sizes


def orders_of(stack: Stack) -> list[tuple[int, ...]]:
    """All allowed orders of a stack."""
    return [order for order in permutations(stack.today) if stack.allows(order)]


def least(stacks, sizes) -> int:
    """The least bytes of all plans."""
    return min(
        unpacked_bytes(stacks, plan, sizes)
        for plan in product(*(orders_of(stack) for stack in stacks))
    )


@given(problems(most_stacks=3, tallest=4))
def test_exact_search_finds_the_optimum(problem):
    """No plan of allowed orders stores fewer bytes."""
    stacks, sizes = problem
    orders = exact_orders(stacks, sizes)
    assert all(stack.allows(order) for stack, order in zip(stacks, orders, strict=True))
    assert unpacked_bytes(stacks, orders, sizes) == least(stacks, sizes)


@given(problems(most_stacks=4, tallest=4))
def test_stacks_whose_layers_are_all_in_one_place_can_stay(problem):
    """The relation movable_image leaves them out: no plan needs another order of them."""
    stacks, sizes = problem
    places: dict[int, set[tuple[int, ...]]] = {}
    for stack in stacks:
        for position, layer in enumerate(stack.layers):
            places.setdefault(layer, set()).add(tuple(stack.layers[:position]))
    still = [
        all(len(places[layer]) == 1 for layer in stack.layers if sizes[layer]) for stack in stacks
    ]
    left = [
        fixed_stack(stack.layers) if stays else stack
        for stack, stays in zip(stacks, still, strict=True)
    ]
    assert least(left, sizes) == least(stacks, sizes)


@given(problems(most_stacks=9, most_layers=7, tallest=6), st.booleans())
def test_greedy_orders_are_allowed(problem, ahead):
    """Greedy search proposes allowed orders only."""
    stacks, sizes = problem
    orders = greedy_orders(stacks, sizes, ahead=ahead)
    assert all(stack.allows(order) for stack, order in zip(stacks, orders, strict=True))


@given(problems(most_stacks=9, most_layers=7, tallest=6))
def test_a_plan_is_never_worse_than_today(problem):
    """A plan stores no more bytes than today, and changes nothing if it saves nothing."""
    stacks, sizes = problem
    orders = storage_orders(stacks, sizes)
    today = [stack.today for stack in stacks]
    assert all(stack.allows(order) for stack, order in zip(stacks, orders, strict=True))
    assert unpacked_bytes(stacks, orders, sizes) <= unpacked_bytes(stacks, today, sizes)
    # nothing moves if nothing is saved
    if unpacked_bytes(stacks, orders, sizes) == unpacked_bytes(stacks, today, sizes):
        assert orders == today


@given(problems(most_stacks=6, most_layers=6, tallest=5), st.randoms(use_true_random=False))
def test_a_trie_counts_bytes_as_the_definition_does(problem, chance):
    """Bytes of a trie are those of its stacks, and its best order is the cheapest."""
    stacks, sizes = problem
    trie = Trie(sizes)
    orders = [chance.choice(orders_of(stack)) for stack in stacks]
    for stack, order in zip(stacks, orders, strict=True):
        cost = trie.cost(stack.layers_in(order))
        before = trie.total_bytes
        trie.add(stack.layers_in(order))
        assert trie.total_bytes == before + cost
    gone = chance.randrange(len(stacks))
    trie.remove(stacks[gone].layers_in(orders[gone]))
    left = [each for each in range(len(stacks)) if each != gone]
    assert trie.total_bytes == unpacked_bytes(
        [stacks[each] for each in left], [orders[each] for each in left], sizes
    )
    # the best order in the trie is the best of all allowed orders
    best = trie.best_order(stacks[gone])
    assert stacks[gone].allows(best)
    assert trie.cost(stacks[gone].layers_in(best)) == min(
        trie.cost(stacks[gone].layers_in(order)) for order in orders_of(stacks[gone])
    )


def test_one_order_joins_layers_with_two_parents():
    # conf, lib and model over one base, in a different order in each image
    """Layers in different orders on one base get one order and are stored once."""
    stacks = [stack_of([0, 1, 2, 3], []), stack_of([0, 4, 2, 1], [])]
    sizes = [100, 20, 8, 1, 1]
    orders = storage_orders(stacks, sizes)
    assert unpacked_bytes(stacks, orders, sizes) == 130
    assert orders[0] == stacks[0].today
    assert stacks[1].layers_in(orders[1]) == (0, 1, 2, 4)


def test_an_empty_layer_moves_if_a_large_one_needs_it():
    # 2 is large and must be above 1, which has no bytes
    """A large layer that must be above an empty one is shared together with it."""
    stacks = [stack_of([1, 2, 3], [(0, 1)]), stack_of([4, 1, 2], [(1, 2)])]
    sizes = [0, 0, 50, 1, 1]
    assert unpacked_bytes(stacks, storage_orders(stacks, sizes), sizes) == 52


def test_other_stacks_follow_a_fixed_one():
    """A stack that cannot change gives its order to others."""
    stacks = [fixed_stack([1, 0]), stack_of([0, 1], [])]
    orders = storage_orders(stacks, [5, 7])
    assert orders == [(0, 1), (1, 0)]


def test_exact_search_stops_at_its_limit():
    """Exact search of too many states ends in an error."""
    stacks = [stack_of(list(range(8)), []) for _ in range(8)]
    with pytest.raises(TooLargeError):
        exact_orders(stacks, [1] * 8, most_states=50)


def random_problem(chance: random.Random):
    """A store like real ones: a few bases, layers in common, some constraints."""
    sizes = [chance.choice([0, 1, 5, 20, 50, 100, 200]) for _ in range(8)]
    stacks = []
    for _ in range(chance.randint(2, 5)):
        layers = chance.sample(range(8), chance.randint(2, 5))
        pairs = [
            (low, high)
            for high in range(len(layers))
            for low in range(high)
            if chance.random() < 0.25
        ]
        stacks.append(stack_of(layers, pairs))
    return stacks, sizes


def test_plans_of_random_stores_are_optimal_and_greedy_ones_near():
    """The figures of docs/reorder.md; bench/reorder.py measures more of them."""
    chance = random.Random(11)
    greedy_gaps, planned_gaps = [], []
    for _ in range(300):
        stacks, sizes = random_problem(chance)
        best = unpacked_bytes(stacks, exact_orders(stacks, sizes), sizes)
        greedy = min(
            unpacked_bytes(stacks, greedy_orders(stacks, sizes, ahead=ahead), sizes)
            for ahead in (False, True)
        )
        planned = unpacked_bytes(stacks, storage_orders(stacks, sizes), sizes)
        assert best <= planned <= greedy
        greedy_gaps.append(greedy / max(best, 1) - 1)
        planned_gaps.append(planned / max(best, 1) - 1)
    assert median(greedy_gaps) <= 0.01
    assert max(planned_gaps) == 0


rates = st.sampled_from([0.01, 0.1, 0.5, 0.9])


@given(problems(most_stacks=1, tallest=6), st.data())
def test_the_order_for_pulls_is_the_optimum(problem, data):
    """No allowed order has fewer expected bytes to pull."""
    (stack,), sizes = problem
    own = [sizes[layer] for layer in stack.layers]
    changes = [data.draw(rates) for _ in stack.layers]
    order = pull_order(stack, own, changes)
    assert stack.allows(order)
    best = min(expected_bytes(each, own, changes) for each in orders_of(stack))
    assert expected_bytes(order, own, changes) <= best + 0.5


def test_many_free_layers_are_ordered_by_smiths_rule():
    # Smith's rule is optimal without constraints
    """Without constraints Smith's rule gives the best order."""
    chance = random.Random(3)
    count = 20
    sizes = [chance.randint(1, 1000) for _ in range(count)]
    changes = [chance.choice([0.01, 0.1, 0.5]) for _ in range(count)]
    stack = stack_of(list(range(count)), [])
    order = pull_order(stack, sizes, changes)
    by_rule = tuple(
        sorted(range(count), key=lambda at: -sizes[at] * (1 - changes[at]) / changes[at])
    )
    assert expected_bytes(order, sizes, changes) == pytest.approx(
        expected_bytes(by_rule, sizes, changes)
    )


def test_expected_bytes_count_layers_above_a_change():
    # the base changes in one release of four, and the layer above it with it
    """If the base changes, the layers above it are pulled with it."""
    assert expected_bytes((0, 1), [100, 10], [0.25, 0.5]) == pytest.approx(25 + 10 * (1 - 0.375))
