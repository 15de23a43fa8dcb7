"""config.yaml -> Config: what one server is, in Truss's words."""

from trussform.config.config import Config
from trussform.config.folder import ConfigFolder, load_config_folder

__all__ = ["Config", "ConfigFolder", "load_config_folder"]
