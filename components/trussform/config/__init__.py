"""config.yaml -> Config: the description of one server, with Truss's fields."""

from trussform.config.config import Config
from trussform.config.folder import ConfigFolder, load_config_folder

__all__ = ["Config", "ConfigFolder", "load_config_folder"]
