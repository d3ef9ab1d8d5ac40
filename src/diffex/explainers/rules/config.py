"""Configuration of the rule method."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from diffex.explainers.config import AttributeConfig
from diffex.rules.discovery import Search
from diffex.rules.engine import RuleEngine
from diffex.rules.front import Limits
from diffex.rules.library_engine import LibraryEngine
from diffex.rules.operon_engine import OperonEngine

FactorKind = Literal["measurements", "autoencoder", "tcvae"]
EngineName = Literal["library", "operon"]


class RuleConfig(BaseModel):
    """How rules are sought, tested and shown.

    Parameters
    ----------
    target : str
        The class whose factors are edited and ranked; every class gets a rule.
    factors : {"measurements", "autoencoder", "tcvae"}
        What formulas may read: named quantities in units, the generator's latents, or few separate latents
        learnt from the images for this purpose (kept in the model folder, so that a second run has them).
    engines : tuple of {"library", "operon"}
        Who searches; all share one front. The library alone is exactly reproducible on any machine.
    nodes, most_factors : int
        Largest formula.
    halves : int
        Half-samples that say how stable terms are.
    attacks : bool
        Whether to attack rules and classifier (needs ``diffex[attacks]`` and labels; minutes more).
    attack_images, attack_queries, twin_steps : int
        Images attacked; what Square asks of a model per image; training of the network that gives attacks a
        gradient where a model has none.
    images : int
        How many images are edited.
    verify_images, shown : int
        As of `AttributeConfig`.
    seed : int
        Of everything random.
    force : bool
        Explain although a gate of the model failed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: str
    factors: FactorKind = "measurements"
    engines: tuple[EngineName, ...] = Field(default=("library", "operon"), min_length=1)
    nodes: int = Field(default=20, ge=5)
    most_factors: int = Field(default=5, ge=1)
    halves: int = Field(default=20, ge=0)
    attacks: bool = False
    attack_images: int = Field(default=96, ge=8)
    attack_queries: int = Field(default=200, ge=1)
    twin_steps: int = Field(default=400, ge=1)
    images: int = Field(default=192, ge=24)
    verify_images: int = Field(default=64, ge=8)
    shown: int = Field(default=6, ge=1)
    seed: int = 0
    force: bool = False

    def search(self) -> Search:
        """How formulas are searched."""
        made: dict[str, RuleEngine] = {"library": LibraryEngine(), "operon": OperonEngine()}
        engines = tuple(made[name] for name in self.engines)
        return Search(engines, Limits(self.nodes, self.most_factors), self.halves, self.seed)

    def edits(self) -> AttributeConfig:
        """How the factors of the rules are edited and ranked."""
        return AttributeConfig(
            target=self.target, images=self.images, search="exact", top=self.most_factors, seed=self.seed,
            force=self.force, verify_images=self.verify_images, shown=self.shown, drivers=False,
        )  # fmt: skip
