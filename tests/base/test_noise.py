import subprocess
import sys

import torch

from diffex.base.hashing import hash_tensors, hash_value
from diffex.base.noise import derive_seed, generator, noise_for

IDS = ("cell-1", "cell-2", "核")


def test_noise_hangs_on_the_id_alone():
    together = noise_for(IDS, (2, 3, 3), "edit", 0)
    assert torch.equal(together, noise_for(IDS[::-1], (2, 3, 3), "edit", 0).flip(0))
    assert torch.equal(together, torch.cat([noise_for((i,), (2, 3, 3), "edit", 0) for i in IDS]))
    assert together.dtype == torch.float32


def test_streams_and_seeds_give_other_noise():
    base = noise_for(IDS, (50,), "edit", 0)
    for other in (noise_for(IDS, (50,), "edit", 1), noise_for(IDS, (50,), "gate", 0), noise_for(IDS, (50,))):
        assert abs(float(torch.corrcoef(torch.stack([base.flatten(), other.flatten()]))[0, 1])) < 0.4
    assert not torch.equal(base[0], base[1])


def test_no_image_no_noise():
    assert noise_for((), (2, 3)).shape == (0, 2, 3)


def test_noise_is_standard_normal_and_leaves_the_global_state_alone():
    state = torch.random.get_rng_state()
    draws = noise_for([str(i) for i in range(200)], (100,))
    assert abs(float(draws.mean())) < 0.03 and abs(float(draws.std()) - 1) < 0.03
    assert torch.equal(torch.random.get_rng_state(), state)


def test_seeds_are_the_same_in_another_process_and_told_apart_by_their_parts():
    code = "from diffex.base.noise import derive_seed; print(derive_seed('a', 1, (2,)))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(other.stdout) == derive_seed("a", 1, (2,))
    assert derive_seed("ab", "c") != derive_seed("a", "bc")
    assert 0 <= derive_seed("\udcff") < 2**63
    assert generator("a").initial_seed() == derive_seed("a")


def test_hashes_see_names_shapes_types_and_values():
    x = torch.arange(6.0)
    plain = hash_tensors({"a": x})
    others = [{"b": x}, {"a": x.view(2, 3)}, {"a": x.double()}, {"a": x + 1}, {"a": x, "b": torch.empty(0)}]
    assert len({plain, *map(hash_tensors, others)}) == 6
    assert plain == hash_tensors({"a": x.clone()})
    assert hash_value({"a": 1, "b": [2]}) == hash_value({"b": (2,), "a": 1}) != hash_value({"a": 1})
