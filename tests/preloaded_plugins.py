"""Import the headless plugins, so that processes forked from one that has imported this find them loaded."""

import importlib
import pkgutil

import plugins

for _package in pkgutil.iter_modules(plugins.__path__, "plugins."):
    if _package.name != "plugins.panels":  # panels load Qt, which no forked process may share
        for _module in pkgutil.iter_modules(importlib.import_module(_package.name).__path__, f"{_package.name}."):
            importlib.import_module(_module.name)
