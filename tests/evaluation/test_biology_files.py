import torch

from diffex.evaluation.bench import Bench
from diffex.evaluation.biology_files import FILES


def test_every_form_gives_the_same_cells(data_dir, data_set, tmp_path):
    data_set("bbbc039_nuclei")
    crops, gap = FILES.run(Bench(data_dir, tmp_path, 0, True, torch.device("cpu")))
    assert (crops.value, gap.value) == (1, 0), crops.note
    assert crops.note.count(",") == 7
