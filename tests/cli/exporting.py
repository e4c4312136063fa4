"""A run folder for ``dmf export``, around a network that no training made."""

from dmf_cli import config as configs
from dmf_cli.run_folder.folder import RunFolder

DESCRIBED = ["model=hub", "model.pretrained=true"]  # no config says what it is: the file itself does


def make_run(path, network, state="completed"):
    run = RunFolder.claim(path)
    run.write_config(configs.to_yaml(configs.compose(["dataset.image_size=[19,26]", *DESCRIBED])))
    run.write_status(state, best={"epoch": 2, "val_dice": 0.5})
    run.release()
    if network is not None:
        network.save(run.best_model)
    return run
