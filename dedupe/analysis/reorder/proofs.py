"""Proofs that an image shows the same with its layers in another order.

A proof hashes all entries of the image's merged view in today's and in the proposed order. The two
views are made by the same queries as every other merged view, from a session that holds the image
twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from dedupe.analysis import queries
from dedupe.analysis.interface import Questions
from dedupe.analysis.reorder.plans import Proof, Proposal
from dedupe.model.choices import Grade

#: images whose merged views are compared at once: bounds the memory of a proof
_IMAGES_AT_ONCE = 64


class ReorderQuestions(Questions, Protocol):
    """Questions about one scan, which can also be asked about images in another order."""

    def beside(self, orders: Mapping[str, Sequence[int]]) -> "ClosableQuestions":
        """Questions about these images, each also as ``proposed:ID`` with the other order."""
        ...


class ClosableQuestions(Questions, Protocol):
    """Questions that use memory until they are closed."""

    def close(self) -> None:
        """Free the memory."""
        ...


def with_proofs(
    questions: ReorderQuestions, proposals: Sequence[Proposal], grade: Grade
) -> list[Proposal]:
    """The proposals, each with the hashes of its image's merged view in both orders."""
    proven = []
    for start in range(0, len(proposals), _IMAGES_AT_ONCE):
        batch = proposals[start : start + _IMAGES_AT_ONCE]
        beside = questions.beside({each.image_id: each.order for each in batch})
        try:
            rows = {
                row["image_id"]: row
                for row in beside.rows(queries.reorder_view_proof(grade=grade.value))
            }
        finally:
            beside.close()
        for each in batch:
            row = rows[each.image_id]
            proof = Proof(
                grade, row["today_hash"], row["proposed_hash"], row["paths"], row["folder_mtimes"]
            )
            proven.append(replace(each, proof=proof))
    return proven
