"""The version of the package."""

__version__ = "0.1.0"
REPOSITORY = "https://github.com/trussform/trussform"
