"""What is said when a run ends before it is complete."""

import pytest

from dmf_cli.training import endings


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a loss became NaN\nmore", "a loss became NaN"),
        ("", "no message"),
        ("Graph execution error:", "Graph execution error:"),
        (
            "Graph execution error:\n\nDetected at node unet/conv defined at (most recent call last):\n"
            "<stack traces unavailable>\nOOM when allocating tensor\n\t [[{{node unet/conv}}]]",
            "OOM when allocating tensor",
        ),
        (
            "Graph execution error:\n\nDetected at node 'a' defined at (most recent call last):\n"
            "    File \"x.py\", line 1, in f\n      g()\nNode: 'a'\n2 root error(s) found.\n"
            "  (0) INTERNAL: CUDA_ERROR_LAUNCH_FAILED: failure\n",
            "(0) INTERNAL: CUDA_ERROR_LAUNCH_FAILED: failure",
        ),
    ],
)
def test_an_error_is_said_by_the_line_that_says_what_is_wrong(text, line):
    """TensorFlow begins with where it was; a sweep looks there for want of memory and broken GPUs."""
    assert endings.first_line(RuntimeError(text)) == line
