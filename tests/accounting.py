"""Stores of named images written, scanned and counted again by the oracle."""

from collections.abc import Collection, Mapping
from pathlib import Path

import oracle
from builders import Image, tar_of, write_oci_layout
from hypothesis import strategies as st
from scanning import scanned
from strategies import Store, stores

from dedupe.store.session import Session

GRANULARITIES = ("compressed", "unpacked", "content")

references = st.builds(
    "{}{}:{}".format,
    st.sampled_from(["", "r.example/", "r.example/a/"]),
    st.sampled_from(["web", "db"]),
    st.sampled_from(["1.0", "1.1", "2", "latest"]),
)


@st.composite
def named_stores(draw: st.DrawFn) -> tuple[Store, dict[str, list[str]]]:
    """A store, and the names of its images: none, one or several each."""
    store = draw(stores())
    names = st.lists(references, max_size=2, unique=True)
    return store, {image: draw(names) for image in store.images}


def images_of(store: Store, names: Mapping[str, Collection[str]]) -> dict[str, Image]:
    """Images by their names in the store; equal stacks have configs of their own."""
    return {
        image: Image(
            [tar_of(store.layers[layer]) for layer in stack],
            names=list(names[image]),
            settings={"Hostname": image},
        )
        for image, stack in store.images.items()
    }


def scan_store(folder: Path, images: Collection[Image]) -> Session:
    """The images as an OCI layout of plain layers, scanned."""
    write_oci_layout(folder / "store", list(images), "none")
    return scanned(folder / "catalog", folder / "store")[1]


def units(store: Store, images: Mapping[str, object], granularity: str) -> oracle.Units:
    """The oracle's units of these images; a blob weighs what its tar does."""
    stacks = {image: store.images[image] for image in images}
    if granularity != "compressed":
        return oracle.units(store.layers, stacks, granularity)
    found = oracle.units(store.layers, stacks, "layers")
    return {layer: (len(tar_of(layer)), holders) for layer, (_, holders) in found.items()}
