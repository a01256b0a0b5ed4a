"""One training from settings to result: task, data, network, loop, test, what is handed over."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..core.atomic import write_atomic
from ..core.errors import LabelMismatchError, UsageError
from ..core.evidence import Evidence
from ..core.model import Model
from ..core.record import dumps, encode, loads
from ..core.signature import Signature
from ..inputs import EncodedSplit, Samples, Transform
from ..measure.binomial import binomial_bounds
from ..networks import NETWORKS
from ..sources import build_module, load_model, save_trained
from ..tasks import build, guess_task
from ..training import Learner, Loader, Ranks, batch_maker, evaluated
from ..training.loop import Trained
from ..training.loop import train as run_loop
from ..training.losses import make_loss
from ..training.private import PrivateLearner
from ..training.recipe_file import write_recipe
from ..training.watch import NullWatch, Watch
from .train_data import TrainData, read_sets, split_sets, write_data
from .train_model import begin, hints_of
from .train_private import finished, private_index, private_parts, private_settings
from .train_result import TrainResult
from .train_settings import TrainSettings, default_recipe
from .train_words import header
from .training_report import write_report

__all__ = ["TrainingRun"]

EVALUATION_BATCH = 128


class TrainingRun:
    """``folder``: where everything of it lies. ``watch``: what is told while it goes."""

    def __init__(self, settings: TrainSettings, folder: Path, ranks: Ranks, watch: Any) -> None:
        import torch

        self.settings, self.folder, self.ranks = settings, folder, ranks
        self.watch: Watch = watch if watch is not None and ranks.first else NullWatch()
        name = settings.task or (NETWORKS[settings.network][0] if settings.network in NETWORKS else "")
        self.task_name = name or guess_task(settings.data, _nothing(), settings.options)
        self.task: Any = build(self.task_name, settings.options)
        self.recipe = default_recipe(self.task_name, settings)
        self.private = self.recipe.privacy is not None
        if self.private:
            self.settings = private_settings(settings, self.recipe)
        if settings.threads:
            torch.set_num_threads(settings.threads)

    def run(self) -> TrainResult:
        model, data = self._prepared()
        of_model = getattr(self.task, "of_model", None)
        if of_model is not None:
            size = getattr(data.train.transform, "size", None)
            self.task = of_model(model, self.settings.options, size)
        network = build_module(model, trainable=True).train()
        signature = Signature(model.signature.inputs, ())
        teacher = self._teacher(model)
        parameters = sum(p.numel() for p in network.parameters())
        self.watch.metric = self.task.metric_name
        self.watch.header(header(self.settings, self.recipe, self.task_name, model, data, parameters, self.ranks.world))
        for line in data.told:
            self.watch.note(line)
        loss = make_loss(self.task_name, self.recipe.loss, model.origin.hints)
        make = batch_maker(data.train, self.recipe.augment)
        self._require_outputs(network, signature, data.train)
        validate: Any = self._judge(data.validation, signature)
        learner: Learner
        loader: Loader
        if self.private:
            learner, loader = private_parts(
                self.folder, make, len(data.train), network, loss, self.recipe, signature, teacher, self.ranks,
                self.watch.warning,
            )  # fmt: skip
            validate = validate if self.settings.validation else None
        else:
            learner = Learner(network, loss, self.recipe, signature, teacher, self.ranks, self.watch.warning)
            lengths = data.train.lengths if self.recipe.bucket else None
            loader = Loader(
                make, len(data.train), self.recipe.batch, self.recipe.seed, lengths, self.ranks.rank, self.ranks.world
            )
        done = run_loop(learner, loader, self.folder, validate, self.watch, data.train.origins)
        result, best = self._finished(model, data, done, signature)
        if isinstance(learner, PrivateLearner):
            spent = finished(self.folder, learner, done.plan.total, self.settings)
            result = replace(result, epsilon=spent.epsilon, privacy=spent)
        if self.ranks.first:
            write_report(self.folder, result, data, best, signature, self.task, self.recipe.seed)
        return result

    def _prepared(self) -> tuple[Model, TrainData]:
        """Data and model: made by the first process, read by the others and by a resumed run."""
        sets = read_sets(self.settings, self.task, self.settings.options)
        samples, index, told = split_sets(sets, self.recipe.seed)
        if self.settings.share < 1:
            # the order is stratified: any first part of it has each class's share
            kept = max(1, round(self.settings.share * len(index["train"])))
            index = {**index, "train": index["train"][:kept]}
        if self.private:
            index = private_index(self.settings, index)
        begun = self.folder / "begun.json"
        data = None
        if self.ranks.first:
            if not begun.is_file():
                (self.folder / "recipe.toml").write_text(write_recipe(encode(self.recipe)))
                model, transform = begin(
                    self.settings, self.task, samples, index["train"], self.folder / "start", self.recipe.seed
                )
                transform.save(self.folder / "start" / "transform")
                write_atomic(begun, dumps(model).encode())
            data = self._data(samples, index, told)
        self.ranks.barrier()
        return loads(Model, begun.read_text()), data or self._data(samples, index, told)

    def _data(self, samples: Samples, index: Mapping[str, np.ndarray], told: tuple[str, ...]) -> TrainData:
        transform = Transform.open(self.folder / "start" / "transform")
        return write_data(self.folder / "data", samples, index, transform, told)

    def _judge(self, split: EncodedSplit, signature: Signature) -> Callable[[Any], float]:
        make, said = batch_maker(split, self.recipe.augment), self._evidence(split)

        def validate(network: Any) -> float:
            parts, order = evaluated(network, signature, make, split, said, EVALUATION_BATCH, self.ranks)
            whole = Evidence.join(parts).take(np.argsort(order, kind="stable"))
            return float(self.task.metric(whole))

        return validate

    def _evidence(self, split: EncodedSplit) -> Callable[[dict[str, np.ndarray], Any, np.ndarray], Evidence]:
        def said(outputs: dict[str, np.ndarray], targets: Any, samples: np.ndarray) -> Evidence:
            del targets
            found: Evidence = self.task.evidence(outputs, split.truth(samples))
            return found

        return said

    def _require_outputs(self, network: Any, signature: Signature, split: EncodedSplit) -> None:
        """Raise ``LabelMismatchError`` where the network has no output for a class of ``split``: it is asked for one
        sample that has the highest. A loss would index beyond the outputs.
        """
        tops = [int(o.classes.max(initial=-1)) for o in split.truth()] if split.has_objects else split.targets
        at = np.array([int(np.argmax(tops))])
        make = batch_maker(split, self.recipe.augment)
        try:
            evaluated(network, signature, make, split, self._evidence(split), 1, index=at)
        except LabelMismatchError as error:
            raise LabelMismatchError(
                error.what, "Train a network that is built for all classes of the data."
            ) from error

    def _finished(self, model: Model, data: TrainData, done: Trained, signature: Signature) -> tuple[TrainResult, Any]:
        """Hand over the best weights, and look at the test set once. (The result, the network.)"""
        hints = hints_of(model, data.train.transform, data.classes, self.folder / "start" / "transform")
        if self.ranks.first:
            save_trained(model, done.weights, self.folder / "model", hints)
        self.ranks.barrier()
        best = load_model(str(self.folder / "model"), None, self.folder / "opened" / str(self.ranks.rank))
        network = build_module(best)
        score = low = high = None
        if data.test is not None:
            score = self._judge(data.test, signature)(network)
            if self.task.paired_test == "score":
                right = round(score * len(data.test))
                low, high = binomial_bounds(right, len(data.test), 0.025)
        self.ranks.barrier()
        shutil.rmtree(self.folder / "opened" / str(self.ranks.rank), ignore_errors=True)
        counts = {"train": len(data.train), "validation": len(data.validation)}
        if data.test is not None:
            counts["test"] = len(data.test)
        result = TrainResult(
            folder=self.folder,
            network=self.settings.network,
            task=self.task_name,
            metric=self.task.metric_name,
            validation=done.metric,
            test=score,
            test_low=low,
            test_high=high,
            counts=counts,
            classes=data.classes,
            parameters=sum(p.numel() for p in network.parameters()),
            epochs=done.position.step / done.plan.per_epoch,
            steps=done.position.step,
            seconds=done.position.seconds,
            samples_per_second=done.samples_per_second,
            forward_ms=1e3 * done.forward,
            backward_ms=1e3 * done.backward,
            update_ms=1e3 * done.update,
            forward_operations=done.operations.forward,
            backward_operations=done.operations.backward,
            update_operations=done.operations.update,
            reason=done.reason,
            precision=done.precision,
            skipped=done.skipped,
        )
        return result, network

    def _teacher(self, model: Model) -> Any:
        """The network to learn from, with the inputs of the one that learns."""
        if self.settings.teacher is None:
            if self.recipe.loss.distil is not None:
                raise UsageError("the recipe distils, and no teacher is named", "Name one with --teacher.")
            return None
        weights = Path(self.settings.teacher_weights) if self.settings.teacher_weights else None
        place = self.folder / "teacher" / str(self.ranks.rank)
        found = load_model(self.settings.teacher, weights, place)
        if found.signature.input_names != model.signature.input_names:
            raise UsageError(
                f"the teacher takes {list(found.signature.input_names)}, the network "
                f"{list(model.signature.input_names)}",
                "Teacher and student must take the same inputs, by the same names.",
            )
        return build_module(found)


def _nothing() -> Model:
    """A model of which nothing is known yet, for guessing the task from the data alone."""
    from ..core.model import Origin

    return Model("torch", Path(), Signature((), ()), Origin("", ""), frozenset({"float"}), "")
