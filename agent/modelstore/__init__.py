"""Installed models: add, list, remove, open. See DESIGN.md in this folder."""

from agent.modelstore.intake import Intake, add_model
from agent.modelstore.manifest import Agreement, Manifest, Variant
from agent.modelstore.opening import class_names, model_files, open_model
from agent.modelstore.store import ModelStore

__all__ = [
    "Agreement",
    "Intake",
    "Manifest",
    "ModelStore",
    "Variant",
    "add_model",
    "class_names",
    "model_files",
    "open_model",
]
