"""Proofs that images show the same in another order of their layers."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from dedupe.analysis import queries
from dedupe.analysis.interface import Questions
from dedupe.analysis.reorder.plans import Grade, Proof, Proposal

#: images whose merged views are compared in one go: bounds the memory of a proof
_PROOFS = 64


class Comparable(Questions, Protocol):
    """A session that can hold images in two orders."""

    def beside(self, orders: Mapping[str, Sequence[int]]) -> "Closable":
        """These images alone, each once more as ``proposed:ID`` in another order."""
        ...


class Closable(Questions, Protocol):
    """Questions that hold memory until they are closed."""

    def close(self) -> None:
        """Give it back."""
        ...


def proven(session: Comparable, proposals: Sequence[Proposal], grade: Grade) -> list[Proposal]:
    """The proposals with the hashes of their merged views in both orders."""
    done = []
    for start in range(0, len(proposals), _PROOFS):
        some = proposals[start : start + _PROOFS]
        beside = session.beside({each.image_id: each.order for each in some})
        try:
            rows = {
                row["image_id"]: row
                for row in beside.rows(queries.reorder_view_proof(grade=grade.value))
            }
        finally:
            beside.close()
        for each in some:
            row = rows[each.image_id]
            proof = Proof(
                grade, row["today_hash"], row["proposed_hash"], row["paths"], row["folder_mtimes"]
            )
            done.append(replace(each, proof=proof))
    return done
