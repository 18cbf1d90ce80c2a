"""What each package may import, and what no file may use; ``tests/test_layout.py`` applies it."""

import ast
import sys

from tests.imports import imported, used

PACKAGES = ("vae", "app", "training", "client/lorgnette_client")

OURS = {"vae", "app", "training", "lorgnette_client", "tests", "benchmarks", "docs", "examples"}
BELOW_HTTP = {
    "app.operations",
    "app.inference",
    "app.images",
    "app.observability",
    "app.settings",
    "app.setting_types",
    "app.store",
    "vae",
}
IMAGES_OF_VAE = {"vae.preprocessing", "vae.image_files", "vae.samples", "vae.color"}
# What a package (or a module directly in app) may import of ours, beside its own modules.
MAY_IMPORT: dict[str, set[str]] = {
    "vae": set(),
    "app.setting_types": set(),
    "app.settings": {"app.setting_types"},
    "app.store": set(),
    "app.images": IMAGES_OF_VAE,
    "app.observability": {"app.settings"},
    "app.inference": {"app.settings", "app.observability", "vae"},
    "app.operations": {
        "app.inference",
        "app.images",
        "app.settings",
        "app.store",
        "app.observability",
        "vae",
    },
    "app.http": BELOW_HTTP,
    "app.application": {"app.http", *BELOW_HTTP},
    "app.server": {"app", "vae"},
    "app.__main__": {"app.server"},
    "training.progress": set(),
    "training.data": {"training.progress", "vae"},
    "training.analysis": {"training.progress", "training.data", "vae"},
    "training.fit": {"training.progress", "training.data", "training.analysis", "vae"},
    "training.evaluate": {"training.progress", "training.data", "training.analysis", "vae"},
    "training.report": {
        "training.progress",
        "training.data",
        "training.analysis",
        "training.fit",
        "training.evaluate",
        "vae",
    },
    "training.cli": {"training", "vae"},
    "training.__main__": {"training.cli"},
    "client.lorgnette_client": {"lorgnette_client"},
}
BATCHER = "app/inference/batcher.py"
BATCHER_MAY_IMPORT = {
    "app.inference.errors",
    "app.inference.fair_queue",
    "app.inference.job",
    "app.inference.limiter",
    "app.observability.timing",
}
MATHEMATICS = sys.stdlib_module_names | {"torch", "safetensors"}
# docs/decisions/0022
PREPROCESSING = {f"{module.replace('.', '/')}.py" for module in IMAGES_OF_VAE}
CLIENT = sys.stdlib_module_names | {"httpx", "numpy", "PIL", "lorgnette_client"}
FRAMEWORK = {"fastapi", "starlette", "uvicorn"}
FRAMEWORK_PACKAGES = {"app.http", "app.application", "app.server"}
TORCH_PACKAGES = {"app.inference", "app.operations"}
PICKLES = {"pickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
REFUSED_NAMES = (
    "torch.load",
    "torch.save",
    "torch.hub",
    "torch.jit.load",
    "torch.package",
    "torch.serialization",
    "importlib.import_module",  # imports that these rules cannot see
    "__import__",
)

# Weights of a locked package, read without running what they hold: docs/decisions/0011.
RESTRICTED_LOAD = "training/analysis/features.py"


def package_of(path: str) -> str:
    """The package that a rule of ``MAY_IMPORT`` names, such as ``app.http`` or ``app.settings``."""
    parts = path.removesuffix(".py").split("/")
    return parts[0] if parts[0] == "vae" or parts[1] == "__init__" else ".".join(parts[:2])


def _within(name: str, packages: set[str]) -> bool:
    return any(f"{name}.".startswith(f"{package}.") for package in packages)


def refusal(path: str, name: str) -> str | None:
    """Why the file may not import this dotted name, or None if it may."""
    package, top = package_of(path), name.partition(".")[0]
    if path == BATCHER and not (
        top in sys.stdlib_module_names or _within(name, BATCHER_MAY_IMPORT)
    ):
        return (
            f"the batcher imports the standard library, its queue, job and timing only, not {name}"
        )
    if top in OURS and not _within(name, MAY_IMPORT.get(package, set()) | {package}):
        return f"{package} must not import {name}"
    if package == "vae" and path not in PREPROCESSING and top not in MATHEMATICS | {"vae"}:
        return f"vae imports torch and safetensors only, not {top}"
    if path.startswith("client/") and top not in CLIENT:
        return f"the client imports httpx, numpy and Pillow only, not {top}"
    if top in FRAMEWORK and package not in FRAMEWORK_PACKAGES:
        return f"{top} stays in app.http, app.application and app.server"
    if path.startswith("app/") and top == "torch" and package not in TORCH_PACKAGES:
        return "torch stays in app.inference and app.operations"
    if top in PICKLES:
        return f"{top} can run code that comes with the data"
    return None


def loads_weights_only(source: str) -> bool:
    """Whether ``torch.load`` stands only where ``weights_only=True`` does."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    loads = [call for call in calls if ast.unparse(call.func) == "torch.load"]
    return source.count("torch.load") == len(loads) and all(
        any(k.arg == "weights_only" and ast.unparse(k.value) == "True" for k in call.keywords)
        for call in loads
    )


def violations(path: str, source: str) -> list[str]:
    """Every broken rule of a file, with its line."""
    found = [
        (use.line, reason) for use in imported(path, source) if (reason := refusal(path, use.name))
    ]
    found += [
        (use.line, f"{name} is not used here")
        for use in [*imported(path, source), *used(path, source)]
        for name in REFUSED_NAMES
        if f"{use.name}.".startswith(f"{name}.")
        if not (path == RESTRICTED_LOAD and name == "torch.load" and loads_weights_only(source))
    ]
    return [f"{path}:{line}: {reason}" for line, reason in sorted(set(found))]
