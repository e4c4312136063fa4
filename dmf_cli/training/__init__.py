"""The loop around ``fit``: runtime, data, building, callbacks, checkpoints, evaluation.

``trainer`` is imported on demand: nothing here may load Keras before a run has chosen its backend.
"""
