"""The configuration: one TOML file, read once, refused whole if anything in it is wrong.

No device, model or socket is opened before it is right. Relative paths are relative to the file.
"""

from agent.config.addresses import is_path, public_address
from agent.config.camera import (
    Anchor,
    CameraConfig,
    FarmConfig,
    LineConfig,
    MotionConfig,
    RipenessConfig,
    RowConfig,
    SightConfig,
    ZoneConfig,
)
from agent.config.load import load_config, read_secret
from agent.config.sections import BoxConfig, BundleConfig, Config, ModelConfig, PageConfig, PlacesConfig, StorageConfig
from agent.config.sync import SyncConfig
from agent.config.window import WindowConfig

__all__ = [
    "Anchor",
    "BoxConfig",
    "BundleConfig",
    "CameraConfig",
    "Config",
    "FarmConfig",
    "LineConfig",
    "ModelConfig",
    "MotionConfig",
    "PageConfig",
    "PlacesConfig",
    "RipenessConfig",
    "RowConfig",
    "SightConfig",
    "StorageConfig",
    "SyncConfig",
    "WindowConfig",
    "ZoneConfig",
    "is_path",
    "load_config",
    "public_address",
    "read_secret",
]
