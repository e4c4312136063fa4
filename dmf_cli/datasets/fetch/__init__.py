"""Datasets that are not on this machine yet: download, unpack, install."""
