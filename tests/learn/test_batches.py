from dataclasses import replace

import numpy as np
import torch

from pointpet.core import Plane
from pointpet.learn.batches import TrainingBatches, ValidationBatches, collate, split_validation, views_of

CLASSES = ("lung", "oesophagus")


def test_views_do_not_depend_on_the_order_of_loading(synthetic, quick) -> None:
    examples = synthetic(6)
    forwards, backwards = (views_of(order, CLASSES, quick()) for order in (examples, examples[::-1]))
    assert [(view.case_id, view.plane) for view in forwards] == [(view.case_id, view.plane) for view in backwards]
    assert len(forwards) == 12


def test_a_points_pixel_is_hot_in_its_view(synthetic, quick) -> None:
    for view in views_of(synthetic(6), CLASSES, quick()):
        row, column = np.rint(view.points[0]).astype(int)
        assert view.values[row, column] > 0.8 * view.values.max()


def test_validation_is_split_by_patient_within_each_class(synthetic, quick) -> None:
    examples = [
        replace(item, patient_id=f"patient{index // 4 * 2 + index % 2}") for index, item in enumerate(synthetic(40))
    ]
    training, validation = split_validation(views_of(examples, CLASSES, quick()), 0.2, seed=3)
    assert {view.patient_id for view in training}.isdisjoint(view.patient_id for view in validation)
    held = {label: {view.patient_id for view in validation if view.label == label} for label in (0, 1)}
    assert {label: len(patients) for label, patients in held.items()} == {0: 2, 1: 2}  # a fifth of ten each
    assert len(training) + len(validation) == 80


def test_the_split_keeps_a_patient_of_each_class_on_either_side(synthetic, quick) -> None:
    training, validation = split_validation(views_of(synthetic(4), CLASSES, quick()), 0.01, seed=0)
    assert {view.label for view in training} == {view.label for view in validation} == {0, 1}


def test_a_share_of_nothing_holds_nobody(synthetic, quick) -> None:
    training, validation = split_validation(views_of(synthetic(4), CLASSES, quick()), 0.0, seed=0)
    assert (len(training), len(validation)) == (8, 0)


def test_a_batch_pads_to_its_largest_view(synthetic, quick) -> None:
    views = views_of(synthetic(1), CLASSES, quick())
    views[1] = replace(views[1], points=np.zeros((0, 2)))
    batch = collate(views)
    assert batch.images.shape == (2, 1, *np.max([view.values.shape for view in views], axis=0))
    assert batch.sizes.tolist() == [list(view.values.shape) for view in views]
    height, width = views[1].values.shape
    assert batch.images[1, 0, height:].sum() == batch.images[1, 0, :, width:].sum() == 0
    assert torch.isnan(batch.points[1]).all()
    assert batch.coronal.tolist() == [view.plane is Plane.CORONAL for view in views]


def test_an_epoch_holds_every_view_once_and_repeats_itself(synthetic, quick) -> None:
    settings = quick(batch_size=5)
    views = views_of(synthetic(6), CLASSES, settings)
    epoch = TrainingBatches(views, settings, seed=1, epoch=2)
    first, again = list(epoch), list(epoch)
    assert len(epoch) == len(first) == 3
    assert sum(len(batch.labels) for batch in first) == 12
    assert min(len(batch.labels) for batch in first) == 4  # evenly, no straggler
    for one, two in zip(first, again, strict=True):
        assert torch.equal(one.images, two.images)
    other = next(iter(TrainingBatches(views, settings, seed=1, epoch=3)))
    assert other.images.shape != first[0].images.shape or not torch.equal(other.images, first[0].images)


def test_validation_is_not_augmented(synthetic, quick) -> None:
    views = views_of(synthetic(3), CLASSES, quick())
    batches = ValidationBatches(views, 4)
    assert [len(batch.labels) for batch in batches] == [4, 2]
    assert len(batches) == 2
    height, width = views[0].values.shape
    np.testing.assert_array_equal(next(iter(batches)).images[0, 0, :height, :width], views[0].values)


def with_turns(examples: list) -> list:
    """Each example with one view of the turned patient, told by its uptake."""
    turned = []
    for example in examples:
        mips = example.mips
        hotter = replace(mips, coronal=mips.coronal + 100, sagittal=mips.sagittal + 100)
        turned.append(replace(example, turned=(replace(example, mips=hotter),)))
    return turned


def test_turned_views_take_the_scans_place_about_as_often_as_the_scan_itself(synthetic, quick) -> None:
    settings = quick(flip=False, shift_mm=0.0, scale=0.0, intensity=0.0, batch_size=64, crop=False)
    views = views_of(with_turns(synthetic(12)), CLASSES, settings)
    assert len(views) == 24
    assert all(view.turned[0].plane is view.plane for view in views)
    lowest = [
        bool(image[:4, :4].min() > 0.9)
        for epoch in range(20)
        for batch in TrainingBatches(views, settings, seed=0, epoch=epoch)
        for image in batch.images[:, 0]
    ]
    assert len(lowest) == 20 * 24
    assert 0.4 < np.mean(lowest) < 0.6


def test_validation_shows_the_scan_as_it_is(synthetic, quick) -> None:
    settings = quick(crop=False)
    plain = views_of(synthetic(3), CLASSES, settings)
    (with_others,) = ValidationBatches(views_of(with_turns(synthetic(3)), CLASSES, settings), 8)
    (alone,) = ValidationBatches(plain, 8)
    assert torch.equal(with_others.images, alone.images)
