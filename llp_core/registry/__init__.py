"""Versions of the models: folders that never change, and which one is in use."""

from llp_core.registry.candidate import candidate_hash, settings_hash
from llp_core.registry.compare import differing, figures_of
from llp_core.registry.promoting import champion, in_use, promote, rollback, settle
from llp_core.registry.records import Champion, DataUsed, Event, ModelVersion
from llp_core.registry.registering import register
from llp_core.registry.remote import pull, push
from llp_core.registry.versions import find_version, numbers, open_version, read_version, version_folder

__all__ = [
    "Champion",
    "DataUsed",
    "Event",
    "ModelVersion",
    "candidate_hash",
    "champion",
    "differing",
    "figures_of",
    "find_version",
    "in_use",
    "numbers",
    "open_version",
    "promote",
    "pull",
    "push",
    "read_version",
    "register",
    "rollback",
    "settings_hash",
    "settle",
    "version_folder",
]
