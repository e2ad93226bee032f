"""Configuration: a YAML file becomes validated, frozen models, one file per section, or a list of all its faults."""

from ibcf.config.configuration import Config
from ibcf.config.fault import Fault
from ibcf.config.loader import Loaded, load, read, read_text

__all__ = ["Config", "Fault", "Loaded", "load", "read", "read_text"]
