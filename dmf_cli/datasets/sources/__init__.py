"""Where images and masks come from: folders, tensorflow-datasets, the phantom."""
