"""What the training of a pair changed on the val split, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from duonas.core.text import plural


def renewed_in_words(found: Mapping[str, Any]) -> str:
    """Compare the accuracies on val that the search knew, if any, with those after the training of the pair.

    Args:
        found: the content of ``finetuned.json``.
    """
    before, now = found["search"], found["now"]
    if before is None:
        reached = ", ".join(f"{name} {now[name]:.1%}" for name in ("little", "big", "routed"))
        return (
            f"Accuracy on {plural(found['val_images'], 'val image')} after the pair was trained: {reached} (at the "
            f"assumed little share of {found['little_share']:.1%}); the search knew none."
        )
    changes = ", ".join(f"{name} {before[name]:.1%} and {now[name]:.1%}" for name in ("little", "big", "routed"))
    return (
        f"Accuracy on {plural(found['val_images'], 'val image')} in the search, and after the pair was trained on: "
        f"{changes} (at the search's little share of {found['little_share']:.1%})."
    )
