"""Proposed orders as one JSON document; docs/reorder.md describes its keys."""

import json
from typing import Any

from dedupe.analysis.reorder.plans import Plan, Proposal, StepPlan
from dedupe.report.reorder.terminal import build_file, verdict

#: raised when a key changes its meaning or goes
SCHEMA_VERSION = 1


def as_json(plan: Plan, steps: StepPlan | None) -> str:
    """All that the plan says; nothing is left out."""
    return json.dumps(as_dict(plan, steps), indent=2, ensure_ascii=False) + "\n"


def as_dict(plan: Plan, steps: StepPlan | None) -> dict[str, Any]:
    """The same as objects, for reports that hold more."""
    return {
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
        "explained": _proposal(plan.explained) if plan.explained else None,
        "steps": _steps(steps) if steps else None,
    }


def _steps(steps: StepPlan) -> dict[str, Any]:
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


def _proposal(found: Proposal) -> dict[str, Any]:
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
        "pull_today_bytes": None if found.pull_today is None else round(found.pull_today),
        "pull_proposed_bytes": None if found.pull_proposed is None else round(found.pull_proposed),
        "layers": [
            {
                "position": layer.position,
                "proposed": layer.proposed,
                "lowest": found.bounds(layer.position)[0],
                "highest": found.bounds(layer.position)[1],
                "diff_id": layer.diff_id,
                "created_by": layer.created_by,
                "content_bytes": layer.content_bytes,
                "pull_bytes": layer.pull_bytes,
                "rate": layer.rate,
                "images_today": layer.images_today,
                "images_proposed": layer.images_proposed,
                "class": layer.step_class,
            }
            for layer in found.layers
        ],
        "constraints": [
            {
                "lower": each.lower,
                "upper": each.upper,
                "rule": each.rule,
                "lower_path": each.lower_path,
                "upper_path": each.upper_path,
                "paths": each.paths,
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
        "proof": found.proof
        and {
            "grade": found.proof.grade.value,
            "equal": found.proof.equal,
            "today_hash": found.proof.today,
            "proposed_hash": found.proof.proposed,
            "paths": found.proof.paths,
            "folder_mtimes": found.proof.folder_mtimes,
        },
    }
