"""Random stacks and stores for Hypothesis, small enough that names collide all the time.

``stacks`` draws anything that a tar can hold. ``agreed_stacks`` draws only what unpackers and the
specification agree on, so that another tool can judge the oracle.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

import oracle
from builders import (
    Image,
    Layer,
    Member,
    directory,
    file,
    global_header,
    hardlink,
    opaque,
    symlink,
    tar_of,
    whiteout,
)
from hypothesis import strategies as st
from oracle import Store

names = st.sampled_from("abc")
#: depth one to three; shallow paths are more frequent, as others are then below them
paths = st.lists(names, min_size=1, max_size=3).map("/".join)
#: few contents, so that files are often equal; every sum of sizes is of other files
contents = st.sampled_from([b"", b"1", b"22", b"4444", b"88888888"])
modes = st.sampled_from([0o644, 0o755])
times = st.sampled_from([1, 9])
owners = st.sampled_from([0, 0, 7])
xattrs = st.sampled_from([None, None, {"user.x": b"\x00\xff"}])
references = st.builds(
    "{}{}:{}".format,
    st.sampled_from(["", "r.example/", "r.example/a/"]),
    st.sampled_from(["web", "db"]),
    st.sampled_from(["1.0", "1.1", "2", "latest"]),
)


def files(where: st.SearchStrategy[str] = paths) -> st.SearchStrategy[Member]:
    """Regular files at these paths."""
    return st.builds(file, where, contents, modes, times, owners, owners, xattrs)


@st.composite
def members(draw: st.DrawFn, below: Sequence[Member] = (), before: Sequence[Member] = ()) -> Member:
    """One member, often at a path of a layer below or of an earlier member of its layer."""
    standing = [member for member in (*below, *before) if member.kind not in "wo"]
    old = [member for member in standing if member.kind == "f"]
    met = _some([member.path for member in standing])
    hidden = [member.path for member in below if member.kind not in "wo"]
    above = [name for path in hidden for name in oracle.ancestors(path)]
    kinds = "fffffddsshw" + "o" + "tt" * bool(old) + "hh" * bool(old) + "wwwoo" * bool(hidden)
    match draw(st.sampled_from(kinds)):
        case "f":
            return draw(files(met | paths | paths))
        case "d":
            return draw(st.builds(directory, met | paths, mtime=times))
        case "s":
            return draw(st.builds(symlink, met | paths, paths))
        case "h":
            # mostly the path of a file; else of a directory, of a later member, or of nothing
            target = _some([member.path for member in old])
            return draw(st.builds(hardlink, met | paths, target | target | paths))
        case "w":
            named = [*hidden, *filter(None, above)]
            return draw(st.builds(whiteout, _some(named) | _some(named) | paths))
        case "o":
            return draw(st.builds(opaque, _some(above) | _some(above) | paths | st.just("")))
        case _:
            # the same content at the same path, with other metadata
            again = draw(st.sampled_from(old))
            return replace(again, mode=draw(modes), mtime=draw(times), uid=draw(owners))


def _some(known: Sequence[str]) -> st.SearchStrategy[str]:
    """One of these paths, or any path if there are none."""
    return st.sampled_from(known) if known else paths


@st.composite
def layers(draw: st.DrawFn, below: Sequence[Layer] = (), largest: int = 6) -> Layer:
    """One layer on top of others, its members in any order; most have each path once."""
    lower = [member for layer in below for member in layer]
    made: list[Member] = []
    for _ in range(draw(st.integers(1, largest))):
        made.append(draw(members(lower, made)))
    if draw(st.sampled_from([True, True, True, False])):
        made = list({(member.path, member.kind in "wo"): member for member in made}.values())
    return tuple(made)


@st.composite
def stacks(draw: st.DrawFn, tallest: int = 4, largest: int = 6) -> tuple[Layer, ...]:
    """Layers of one image, base first; a layer may occur twice."""
    made: list[Layer] = []
    for _ in range(draw(st.integers(1, tallest))):
        if made and draw(st.integers(0, 7)) == 7:
            made.append(draw(st.sampled_from(made)))
        else:
            made.append(draw(layers(made, largest)))
    return tuple(made)


@st.composite
def loose_stacks(draw: st.DrawFn, tallest: int = 5) -> tuple[Layer, ...]:
    """A base with layers that change it but seldom each other, so that many may swap.

    Each layer has a folder of its own. Elsewhere it changes the base, or has a few directories
    that the other layers have too.
    """
    base = draw(layers(largest=4))
    made = [base]
    for number in range(draw(st.integers(1, tallest - 1))):
        chosen: list[Member] = []
        for how in draw(st.lists(st.sampled_from("ooooddm"), min_size=1, max_size=4)):
            if how == "o":
                # the target of a link is not moved: it is in the base
                one = draw(members(base, [it for it in chosen if it.path.startswith("own")]))
                chosen.append(replace(one, path=f"own{number}/{one.path}".rstrip("/")))
            elif how == "d":
                chosen.append(draw(st.builds(directory, st.sampled_from("ds"), mtime=times)))
            else:
                chosen.append(draw(members(base, chosen)))
        made.append(tuple(chosen))
    if len(made) > 2 and draw(st.integers(0, 9)) == 9:
        made[-1] = draw(st.sampled_from(made[:-1]))
    return tuple(made)


@st.composite
def stores(draw: st.DrawFn, most_layers: int = 5, most_images: int = 4) -> Store:
    """Images over a few shared layers; several may have the same layers."""
    pool: list[Layer] = []
    for _ in range(draw(st.integers(1, most_layers))):
        pool.append(draw(layers(pool, largest=4)))
    named = {f"l{number}": layer for number, layer in enumerate(pool)}
    chosen = st.lists(st.sampled_from(sorted(named)), min_size=1, max_size=5).map(tuple)
    images = draw(st.lists(chosen, min_size=1, max_size=most_images))
    return Store(named, {f"i{number}": names for number, names in enumerate(images)})


@st.composite
def named_stores(draw: st.DrawFn) -> tuple[Store, dict[str, list[str]]]:
    """A store, and names of its images; an image has none, one or two."""
    store = draw(stores())
    names = st.lists(references, max_size=2, unique=True)
    return store, {image: draw(names) for image in store.images}


#: where symbolic links lead: to a sibling, from the root, up, over the root, and to themselves
targets = st.sampled_from(
    ["a", "b", "c", "/a", "/a/b", "../b", "b/c", "a/../c", "../../c/a", "./b", ".", "/", "a/b/c"]
)


@st.composite
def wild_layers(draw: st.DrawFn, below: Sequence[Layer] = ()) -> Layer:
    """One layer of what only some readers understand: links and entries below them, odd names."""
    lower = [member for layer in below for member in layer]
    made: list[Member] = []
    for _ in range(draw(st.integers(1, 6))):
        match draw(st.sampled_from("mmmmmmmssddg/")):
            case "m":
                one = draw(members(lower, made))
            case "s":
                one = draw(st.builds(symlink, paths, targets))
            case "d":
                one = draw(
                    st.builds(directory, paths, st.sampled_from([0o700, 0o1777]), uid=owners)
                )
            case "g":
                one = global_header(comment=b"x") if draw(st.integers(0, 5)) == 5 else draw(files())
            case _:
                one = draw(files())
                one = replace(one, name=one.path.encode() + b"/")
        links = [member.path for member in (*lower, *made) if member.kind in "sh"]
        if links and one.kind in "fdshw" and draw(st.integers(0, 3)) == 3:
            path = f"{draw(st.sampled_from(links))}/{draw(names)}"
            one = replace(one, path=path, name=None)
        made.append(one)
    if draw(st.booleans()):
        made = list({(member.path, member.kind in "wo"): member for member in made}.values())
    return tuple(made)


@st.composite
def wild_stacks(draw: st.DrawFn, tallest: int = 3) -> tuple[Layer, ...]:
    """Layers of one image in which links, hard links, marks and odd names meet."""
    made: list[Layer] = []
    for _ in range(draw(st.integers(1, tallest))):
        made.append(draw(wild_layers(made)))
    return tuple(made)


def images_of(store: Store, names: Mapping[str, Collection[str]]) -> dict[str, Image]:
    """Images by their keys in the store; equal stacks have different configs."""
    return {
        image: Image(
            [tar_of(layer) for layer in stack],
            names=list(names[image]),
            settings={"Hostname": image},
        )
        for image, stack in store.stacks.items()
    }


def agreed_stacks(tallest: int = 4, largest: int = 6) -> st.SearchStrategy[tuple[Layer, ...]]:
    """Stacks that every unpacker accepts, and unpacks as the specification says."""
    return stacks(tallest, largest).map(agreed)


def agreed(stack: Iterable[Layer]) -> tuple[Layer, ...]:
    """The stack without the members that umoci 0.4.7 refuses or reads in another way.

    - An entry or a mark below a path that is not a directory at that time: umoci follows a
      symlink and writes to its target, and refuses to make a directory below a file.
    - An opaque mark on something other than a directory.
    - A hard link to itself or to the entry that it replaces, to a directory, to nothing, or to a
      lower file that a mark of this layer hides: umoci links files on disk, where an earlier mark
      has deleted the file.
    """
    kept: list[Layer] = []
    for layer in stack:
        now = {path: seen.kind for path, seen in oracle.stack(kept).view.items()}
        marks = {member.path for member in layer if member.kind in "wo"}
        own: set[str] = set()
        chosen = []
        for member in layer:
            path, target = member.path, member.target
            above = [*oracle.ancestors(path), *([path] if member.kind == "o" else [])]
            if any(now.get(name, "d") != "d" for name in above):
                continue
            if member.kind == "h":
                lineage = {target, *oracle.ancestors(target)}
                covered = lineage & marks and target not in own
                if now.get(target, "d") == "d" or path in lineage or covered:
                    continue
            chosen.append(member)
            if member.kind not in "wo":
                if member.kind != "d":
                    for name in [name for name in now if path in oracle.ancestors(name)]:
                        del now[name]
                now[path] = now[target] if member.kind == "h" else member.kind
                own.add(path)
        kept.append(tuple(chosen))
    return tuple(kept)


#: directories that layers of ``risky_stacks`` have in common, and their metadata
_SHARED = ("lib", "opt", "usr", "usr/lib", "tmp")
_LOOKS = ({}, {}, {"mode": 0o700, "uid": 7}, {"mode": 0o1777}, {"xattrs": {"user.x": b"1"}})


@st.composite
def risky_stacks(draw: st.DrawFn) -> tuple[Layer, ...]:
    """A base and two layers on it that seldom have a path in common, but much besides.

    They list and imply the same directories, name paths through symlinks of the base and their
    own, delete in the same places, and link to the same files.
    """
    base: list[Member] = [
        draw(st.sampled_from([directory(path, **look) for look in _LOOKS]))
        for path in _SHARED
        if draw(st.booleans())
    ]
    for _ in range(draw(st.integers(0, 2))):
        path, target = draw(st.sampled_from(_SHARED)), draw(st.sampled_from(_SHARED))
        base.append(draw(st.sampled_from([symlink(path, f"/{target}"), symlink("s", target)])))
    base += [file(f"{path}/old") for path in _SHARED if draw(st.booleans())]
    known = [member for member in base if member.kind == "d"]
    return (tuple(base), draw(_risky_layer("one", known)), draw(_risky_layer("two", known)))


@st.composite
def _risky_layer(draw: st.DrawFn, own: str, below: Sequence[Member]) -> Layer:
    """A layer whose new paths have a name of its own."""
    shared = st.sampled_from([*_SHARED, "s", "new"])
    made: list[Member] = []
    for _ in range(draw(st.integers(1, 4))):
        folder = draw(shared)
        path = f"{folder}/{draw(st.sampled_from(['old', own, f'{own}/deep', own]))}"
        match draw(st.sampled_from("ffffdddDDswohhx")):
            case "f":
                made.append(draw(files(st.just(path))))
            case "d":
                made.append(draw(st.sampled_from([directory(folder, **look) for look in _LOOKS])))
            case "D":
                listed = [each for each in below if each.path in (folder, "usr")]
                made += listed or [directory(folder)]
            case "s":
                made.append(symlink(f"{own}-link", draw(shared)))
                made.append(file(f"{own}-link/{own}"))
            case "w":
                made.append(whiteout(path))
            case "o":
                made.append(opaque(folder))
            case "h":
                made.append(file(f"{own}-file"))
                target = draw(st.sampled_from([f"{own}-file", path, f"{folder}/old"]))
                made.append(hardlink(f"{own}-name", target))
            case _:
                name = draw(st.sampled_from(["trusted.overlay.opaque", "user.x"]))
                made.append(directory(folder, xattrs={name: b"y"}))
    return tuple(dict.fromkeys(made))
