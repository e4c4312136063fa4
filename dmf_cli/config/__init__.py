"""The config: composed by Hydra from ``conf/``, checked, and handed on as an object.

Nothing heavy is imported here; Hydra is, when something is composed.
"""

from dmf_cli.conf_files import conf_dir as conf_dir
from dmf_cli.config.checks import check_params as check_params
from dmf_cli.config.checks import validate as validate
from dmf_cli.config.composer import completed as completed
from dmf_cli.config.composer import compose as compose
from dmf_cli.config.composer import override as override
from dmf_cli.config.composer import to_yaml as to_yaml
from dmf_cli.config.composer import with_absolute_paths as with_absolute_paths
from dmf_cli.config.typed import Config as Config
