"""Settings: defaults < `config.json` < environment < flags. The only reader of the environment."""

from botmatrix.config.home import Home, default_home
from botmatrix.config.load import (
    ConfigFileError,
    host_id,
    inherited_environment,
    load,
    locate,
    read_file,
    save_value,
)
from botmatrix.config.options import OPTIONS, Option, nearest
from botmatrix.config.secret import Secret
from botmatrix.config.settings import BotServer, OneBotApp, Settings

__all__ = [
    "OPTIONS",
    "BotServer",
    "ConfigFileError",
    "Home",
    "OneBotApp",
    "Option",
    "Secret",
    "Settings",
    "default_home",
    "host_id",
    "inherited_environment",
    "load",
    "locate",
    "nearest",
    "read_file",
    "save_value",
]
