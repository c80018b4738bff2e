"""Settings: defaults < `config.json` < database < environment < flags. The only reader of the environment."""

from botmatrix.config.current import Current
from botmatrix.config.home import Home, default_home
from botmatrix.config.load import (
    RELAYED,
    ConfigFileError,
    inherited_environment,
    is_relayed,
    load,
    locate,
    read_file,
    save_value,
)
from botmatrix.config.merge import STORABLE, check_change, host_id, resolve
from botmatrix.config.options import OPTIONS, Option, nearest
from botmatrix.config.secret import Secret
from botmatrix.config.settings import BotServer, HttpBot, OneBotApp, Settings, Source
from botmatrix.config.stored import Stored, parse_stored, remember, remembered

__all__ = [
    "OPTIONS",
    "RELAYED",
    "STORABLE",
    "BotServer",
    "ConfigFileError",
    "Current",
    "Home",
    "HttpBot",
    "OneBotApp",
    "Option",
    "Secret",
    "Settings",
    "Source",
    "Stored",
    "check_change",
    "default_home",
    "host_id",
    "inherited_environment",
    "is_relayed",
    "load",
    "locate",
    "nearest",
    "parse_stored",
    "read_file",
    "remember",
    "remembered",
    "resolve",
    "save_value",
]
