"""Groups of derived tables: what each is about, and the queries that find what lacks rows.

A group is kept and made anew as a whole. To derive a batch, the tables of ``batch`` are made on a
connection of its own; the relations that the derivations read are then made of these.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Group:
    """How the rows of a group are found missing and made; queries are those of ``queries/``."""

    #: finds what lacks rows: batch, is_new, entries, and what it is
    plan: str
    #: relations of the session that the plan reads
    read: tuple[str, ...]
    #: of these, relations that the queries of ``batch`` read as ``given_<relation>``
    given: tuple[str, ...]
    #: table -> query that makes it for a batch
    batch: Mapping[str, str]
    #: table -> query that makes it if everything in the session is new
    all_new: Mapping[str, str]
    #: table of a batch -> view of the entries of its layers, beside that of the batch's own layers
    sources: Mapping[str, str] = field(default_factory=dict)
    #: view -> query that makes it of the tables of a batch
    views: Mapping[str, str] = field(default_factory=dict)
    #: whether the rows of a batch depend on those of earlier ones
    is_sequence: bool = False
    #: table -> query that merges its rows of several runs, the last ones of all; of each table it
    #: reads these as ``several_<table>``. The rows of other tables are put together as they are
    merged: Mapping[str, str] = field(default_factory=dict)


GROUPS: Mapping[str, Group] = {
    "nodes": Group(
        plan="derived/plan/nodes",
        read=("layers", "node", "above"),
        given=("node",),
        batch={
            "batch_layer": "derived/plan/batch_layers",
            "node": "derived/plan/batch_nodes",
            "new_node": "derived/plan/new_nodes",
            "above": "relations/04_above",
            "batch_pair": "derived/plan/batch_pairs",
            "batch_entry": "derived/plan/batch_entries",
            "batch_place": "derived/plan/batch_places",
            "batch_folder": "derived/plan/batch_folders",
            "batch_meeting": "derived/plan/batch_meetings",
            "batch_member": "derived/plan/batch_members",
            "entries": "derived/plan/chosen_entries",
        },
        all_new={"new_node": "derived/plan/every_node"},
    ),
    "layers": Group(
        plan="derived/plan/layers",
        read=("layers", "node", "layer_rows"),
        given=("node",),
        batch={
            "batch_layer": "derived/plan/batch_layers",
            "node": "derived/plan/batch_layer_nodes",
            "new_layer": "derived/plan/new_layers",
            "layer_entry": "derived/plan/layer_entries",
        },
        views={"entries": "derived/plan/whole_entries"},
        all_new={"new_layer": "derived/plan/every_layer"},
    ),
    "twins": Group(
        plan="derived/plan/twins",
        read=("layers", "node", "layer_rows"),
        given=("node",),
        batch={
            "batch_layer": "derived/plan/batch_layers",
            "node": "derived/plan/batch_layer_nodes",
            "new_twin": "derived/plan/new_layers",
            "entries": "derived/plan/twin_entries",
        },
        all_new={"new_twin": "derived/plan/every_twin"},
    ),
    "contents": Group(
        plan="derived/plan/contents",
        read=("layers", "node"),
        given=("layers",),
        batch={
            "new_content_layer": "derived/plan/content_layers",
            "new_content": "derived/plan/new_contents",
            "new_content_file": "derived/plan/content_files",
            "former_place": "derived/plan/former_places",
            "new_content_path": "derived/plan/content_paths",
        },
        all_new={
            "new_content_layer": "derived/plan/every_content_layer",
            "new_content": "derived/plan/new_contents",
            "new_content_file": "derived/plan/content_files",
            "former_place": "derived/plan/no_former_places",
            "new_content_path": "derived/plan/content_paths",
        },
        sources={"former_place": "former_source"},
        is_sequence=True,
        merged={
            "content_place": "derived/plan/merged_content_place",
            "class_member": "derived/plan/merged_class_member",
            "class_change": "derived/plan/merged_class_change",
        },
    ),
}
