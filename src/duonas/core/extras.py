"""What to say where only the runtime is installed, as ``pip install duonas`` does, and the full tool is needed."""

from __future__ import annotations

from pathlib import Path

INSTALL_FULL = "pip install 'duonas[full]'"

# The packages of the extra ``full`` in pyproject.toml, by the names that they are imported by.
FULL = frozenset({
    "PIL", "altair", "annotated_types", "filelock", "hatchling", "huggingface_hub", "jinja2", "lightning_fabric",
    "markupsafe", "onnx", "onnxscript", "pyarrow", "pydantic", "pymoo", "rich", "safetensors", "scipy", "sklearn",
    "tensorboard", "timm", "tomli_w", "torch", "torchvision", "typer",
})  # fmt: skip
REST = Path(__file__).parents[1] / "pipeline"  # which the wheel of a kit does not have


def explain(what: str, error: ModuleNotFoundError) -> str | None:
    """Return the sentence that names the full tool, or ``None`` where it would not help.

    Args:
        what: what was asked for, such as ``"duonas.run"``.
        error: of an import that failed.
    """
    package = (error.name or "").partition(".")[0]
    if package == "duonas" and not REST.is_dir():
        return f"{what} needs the full tool, which {INSTALL_FULL} installs (this is its runtime alone)."
    if package not in FULL:
        return None
    return f"{what} needs the full tool, which {INSTALL_FULL} installs ({package} is missing here)."
