"""config.yaml -> Config: what one server is, in Truss's words."""

from trussform.config.config import Config
from trussform.config.truss import Truss, read_truss

__all__ = ["Config", "Truss", "read_truss"]
