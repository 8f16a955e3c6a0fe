"""Joins of adjacent layers, and classes of files by the images that show them."""

import tempfile
from collections import defaultdict
from pathlib import Path

import oracle
from builders import file, hardlink, image
from helpers.examples import examples
from helpers.scanning import scan_images
from helpers.strategies import images_of, stores
from hypothesis import HealthCheck, given, settings
from oracle import Store


def joined_bytes(store: Store, pair: tuple) -> int:
    """Bytes of the store, unpacked, if the two top layers of this chain were one."""
    units = {}
    for built in store.stacks.values():
        for position, layer in enumerate(built):
            chain = built[: position + 1]
            if chain[: len(pair)] != pair:
                # the lower layer is still stored for stacks that have another layer above it
                if pair[:-1] != chain or built[: len(pair)] != pair:
                    units[chain] = oracle.layer_bytes(layer)
            elif chain == pair:
                hidden = oracle.stack(pair).hidden
                units[chain] = sum(
                    len(it.content)
                    for at in (position - 1, position)
                    for index, it in enumerate(pair[at])
                    if it.kind == "f"
                    and (
                        (at, index) not in hidden
                        or hidden[at, index].added_position == hidden[at, index].hidden_position
                    )
                )
            else:
                units[chain] = oracle.layer_bytes(layer)
    return sum(units.values())


def classes(store: Store) -> dict[frozenset[str], tuple[int, int]]:
    """Files and bytes by the set of images that show them."""
    holders = defaultdict(set)
    for name, built in store.stacks.items():
        seen = oracle.stack(built)
        names = defaultdict(list)
        for path, inode in seen.inodes.items():
            if inode.regular:
                names[inode].append(path)
        for inode, paths in names.items():
            it = inode.member
            look = (it.content, it.mode, it.uid, it.gid, it.mtime, it.nanos, it.xattrs)
            holders[tuple(sorted(paths)), look].add(name)
    found = defaultdict(lambda: (0, 0))
    for (_, look), names in holders.items():
        files, size = found[frozenset(names)]
        found[frozenset(names)] = (files + 1, size + len(look[0]))
    return dict(found)


@settings(max_examples=examples(80), deadline=None, suppress_health_check=list(HealthCheck))
@given(store=stores(most_images=5))
def test_joins_and_classes_of_random_stores_are_those_of_plain_python(store: Store) -> None:
    """Joins and classes of files are those of plain Python."""
    images = images_of(store, {name: [f"x/{name}:1"] for name in store.images})
    with tempfile.TemporaryDirectory() as folder:
        session = scan_images(Path(folder), images.values())
        joins, found = session.rows("reorder/joins"), session.rows("reorder/relayer_classes")
        numbered, (totals,) = (
            session.rows("reorder/relayer_images"),
            session.rows("reorder/relayer_totals"),
        )
    built = store.stacks
    unpacked = oracle.total(oracle.units(store.layers, store.images))
    assert totals["unpacked_bytes"] == unpacked

    chains = {
        images[name].chain_ids[end - 1]: stack[:end]
        for name, stack in built.items()
        for end in range(2, len(stack) + 1)
    }
    assert {row["upper_chain"]: row["net_bytes"] for row in joins} == {
        chain: unpacked - joined_bytes(store, pair) for chain, pair in chains.items()
    }
    for row in joins:
        pair = chains[row["upper_chain"]]
        through = [stack for stack in built.values() if stack[: len(pair) - 1] == pair[:-1]]
        both = [stack for stack in through if stack[: len(pair)] == pair]
        assert (row["images"], row["other_images"]) == (len(both), len(through) - len(both))
        assert row["net_bytes"] == row["frees_bytes"] - row["costs_bytes"]

    ids = {made.image_id: name for name, made in images.items()}
    names = [ids[row["image_id"]] for row in numbered]
    assert [row["number"] for row in numbered] == list(range(len(images)))
    assert {
        frozenset(names[number] for number in row["images"]): (row["files"], row["bytes"])
        for row in found
    } == classes(store)


def test_joining_a_shared_layer_stores_it_again(tmp_path: Path) -> None:
    """Joining frees hidden files, but stores a lower layer again if other images need it."""
    base, lists = [file("base", b"b" * 10)], [file("lists", b"l" * 100), file("lib", b"s" * 7)]
    clean = [file("lists", b"")]
    session = scan_images(
        tmp_path,
        [
            image(base, lists, clean, names=["a:1"], history=["ADD base", "RUN get", "RUN rm"]),
            image(base, lists, names=["b:1"], history=["ADD base", "RUN get"]),
        ],
    )
    first, second = session.rows("reorder/joins")
    assert (first["net_bytes"], first["lower_step"], first["upper_step"]) == (
        0,
        "ADD base",
        "RUN get",
    )
    assert (second["frees_bytes"], second["costs_bytes"], second["net_bytes"]) == (100, 107, -7)
    assert (second["images"], second["other_images"]) == (1, 1)


def test_a_file_with_two_names_counts_once(tmp_path: Path) -> None:
    """A file with two names is another class than one with one of them, and counts once."""
    pair = [file("bin/a", b"x" * 5), hardlink("bin/b", "bin/a")]
    session = scan_images(
        tmp_path,
        [
            image(pair, names=["a:1"]),
            image([file("bin/a", b"x" * 5)], names=["b:1"]),
            image(pair, [file("c", b"c")], names=["c:1"]),
        ],
    )
    rows = session.rows("reorder/relayer_classes")
    assert sorted((len(row["images"]), row["files"], row["bytes"]) for row in rows) == [
        (1, 1, 1),
        (1, 1, 5),
        (2, 1, 5),
    ]
    assert {folder for row in rows for folder in row["folders"]} == {"/", "/bin"}
