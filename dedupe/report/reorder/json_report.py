"""Proposed orders as one JSON document; docs/reorder.md describes its keys."""

from dedupe.analysis.reorder.plans import PlacedLayer, Plan, Proposal, StepPlan
from dedupe.report.reorder.parts import build_file, verdict
from dedupe.report.text import json_document

#: raised when a key changes its meaning or is removed
SCHEMA_VERSION = 1

_Object = dict[str, object]


def to_json(plan: Plan, steps: StepPlan | None) -> str:
    """The whole plan; nothing is left out."""
    return json_document(
        {
            "schema_version": SCHEMA_VERSION,
            "objective": plan.options.objective.value,
            "grade": plan.options.grade.value,
            "keep_bases": plan.options.keep_bases,
            "images": plan.images,
            "incomplete_images": plan.incomplete_images,
            "images_with_history": plan.images_with_history,
            "today_bytes": plan.today_bytes,
            "proposed_bytes": plan.proposed_bytes,
            "least_bytes": plan.least_bytes,
            "bases_kept_bytes": plan.bases_kept_bytes,
            "pull_today_bytes": round(plan.pull_today),
            "pull_proposed_bytes": round(plan.pull_proposed),
            "choices": [
                {
                    "name": each.name,
                    "unpacked_bytes": each.unpacked_bytes,
                    "pull_bytes": round(each.pull_bytes),
                    "moved_images": each.moved_images,
                }
                for each in plan.choices
            ],
            "proposals": [_proposal(each) for each in plan.proposals],
            "unproven": [
                {
                    "image": each.name,
                    "image_id": each.image_id,
                    "position": each.position,
                    "rule": each.rule,
                    "path": each.path,
                    "paths": each.paths,
                }
                for each in plan.unproven
            ],
            "explained": _proposal(plan.explained) if plan.explained else None,
            "steps": _steps(steps) if steps else None,
        }
    )


def _steps(steps: StepPlan) -> _Object:
    return {
        "today_bytes": steps.today_bytes,
        "reproducible_bytes": steps.reproducible_bytes,
        "proposed_bytes": steps.proposed_bytes,
        "proposals": [_proposal(each) for each in steps.proposals],
        "classes": [
            {"class": key, "reason": reason} for key, reason in sorted(steps.classes.items())
        ],
        "repeats": steps.repeats,
    }


def _proposal(found: Proposal) -> _Object:
    return {
        "image": found.name,
        "image_id": found.image_id,
        "names": found.names,
        "base": found.base,
        "base_layers": found.base_layers,
        "order": list(found.order),
        "moved": found.moved,
        "below_base": found.below_base,
        "saves_bytes": found.saves_bytes,
        "saves_alone_bytes": found.saves_alone_bytes,
        "pull_today_bytes": None if found.pull_today is None else round(found.pull_today),
        "pull_proposed_bytes": None if found.pull_proposed is None else round(found.pull_proposed),
        "layers": [_layer(found, layer) for layer in found.layers],
        "constraints": [
            {
                "lower": each.lower,
                "upper": each.upper,
                "rule": each.rule,
                "lower_path": each.lower_path,
                "upper_path": each.upper_path,
                "paths": each.paths,
                "unproven": each.unproven,
            }
            for each in found.constraints
        ],
        "swaps": [
            {
                "lower": swap.lower,
                "upper": swap.upper,
                "check": "free" if swap.reason is None else "needs rebuild check",
                "reason": swap.reason,
            }
            for swap in found.swaps
        ],
        "build_file": {"verdict": verdict(found), "lines": build_file(found)},
        "verdict": found.verdict.value,
        "unproven_because": found.unproven_because,
        "proof": _proof(found),
    }


def _layer(found: Proposal, layer: PlacedLayer) -> _Object:
    lowest, highest = found.bounds(layer.position)
    return {
        "position": layer.position,
        "proposed": layer.proposed,
        "lowest": lowest,
        "highest": highest,
        "diff_id": layer.diff_id,
        "created_by": layer.created_by,
        "content_bytes": layer.content_bytes,
        "pull_bytes": layer.pull_bytes,
        "rate": layer.rate,
        "images_today": layer.images_today,
        "images_proposed": layer.images_proposed,
        "class": layer.step_class,
    }


def _proof(found: Proposal) -> _Object | None:
    if found.proof is None:
        return None
    return {
        "grade": found.proof.grade.value,
        "equal": found.proof.equal,
        "today_hash": found.proof.today,
        "proposed_hash": found.proof.proposed,
        "paths": found.proof.paths,
        "folder_mtimes": found.proof.folder_mtimes,
    }
