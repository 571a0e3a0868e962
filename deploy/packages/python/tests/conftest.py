"""Has pytest find the plugin without an installation."""
pytest_plugins = ["sealgate.pytest_plugin"]
