"""What each augmentation preset makes of a few images, as arrays to look at."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch

from fersearch.training.augment import PRESETS, Augmentation

Images = npt.NDArray[np.uint8]


def previews(images: Images, seed: int = 0) -> dict[str, Images]:
    """Images (uint8, n x channels x size x size) under every preset but `none`, by its name.

    As in training, what is moved in from outside and what is erased is grey (here 128). Mixup is left out: it would
    show other images.
    """
    grey = torch.from_numpy(np.ascontiguousarray(images)).float() / 127.5 - 1
    targets = torch.zeros(len(images), dtype=torch.long)
    found: dict[str, Images] = {}
    for name, chosen in PRESETS.items():
        augmentation = Augmentation(replace(chosen, mixup=0.0), num_classes=2)
        if augmentation.active:
            plan = augmentation.plan(len(images), torch.Generator().manual_seed(seed))
            changed, _ = augmentation.apply(grey.clone(), targets, plan)
            found[name] = ((changed.clamp(-1, 1) + 1) * 127.5).round().byte().numpy()
    return found
