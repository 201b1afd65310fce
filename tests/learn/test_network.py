import pytest
import torch

from pointpet.core import Plane
from pointpet.learn import TrainingSettings
from pointpet.learn.network import EightLayerNetwork, ViewNetworks, cells_exist, mean_of_highest

WIDTHS = (4, 4, 6, 6, 8, 8, 8, 8)


def network(stride: int = 4, classes: int = 2) -> EightLayerNetwork:
    torch.manual_seed(0)
    built = EightLayerNetwork(WIDTHS, stride, classes)
    for norm in built.norms:  # as after training: neither mean 0 nor variance 1
        torch.nn.init.normal_(norm.running_mean, std=0.2)
        torch.nn.init.uniform_(norm.running_var, 0.5, 2.0)
        torch.nn.init.normal_(norm.bias, std=0.5)
    torch.nn.init.normal_(built.bias)
    return built.eval()


@pytest.mark.parametrize("stride", [2, 4, 8, 16])
def test_the_map_has_a_cell_a_stride(stride: int) -> None:
    scores = network(stride, classes=3)(torch.rand(2, 1, 48, 32), torch.tensor([[48, 32], [48, 32]]))
    assert scores.maps.shape == (2, 3, 48 // stride, 32 // stride)
    assert scores.logits.shape == (2, 3)
    assert scores.valid.all()


def test_it_has_eight_layers_and_no_bias_in_the_map() -> None:
    built = network()
    assert len(built.convolutions) == len(built.norms) == 8
    assert built.head.bias is None


def test_a_class_score_is_the_mean_of_its_map_plus_the_bias() -> None:
    built = network(classes=3)
    sizes = torch.tensor([[32, 24], [16, 20]])
    images = torch.rand(2, 1, 32, 24) * cells_exist(sizes, (32, 24), torch.device("cpu"))[:, None]
    scores = built(images, sizes)
    first = scores.maps[0].mean((1, 2)) + built.bias
    second = scores.maps[1, :, :4, :5].mean((1, 2)) + built.bias
    torch.testing.assert_close(scores.logits, torch.stack([first, second]))


def test_padding_changes_neither_scores_nor_maps() -> None:
    built = network()
    image = torch.rand(1, 1, 16, 20)
    alone = built(image, torch.tensor([[16, 20]]))
    canvas = torch.zeros(2, 1, 32, 28)
    canvas[0, :, :16, :20] = image[0]
    canvas[1] = torch.rand(1, 32, 28)
    together = built(canvas, torch.tensor([[16, 20], [32, 28]]))
    torch.testing.assert_close(together.logits[:1], alone.logits)
    torch.testing.assert_close(together.maps[:1, :, :4, :5], alone.maps)
    assert together.valid.sum((1, 2)).tolist() == [4 * 5, 8 * 7]


def test_padding_changes_no_slope() -> None:
    slopes = []
    for margin in (0, 8):
        built = network()
        images = torch.zeros(1, 1, 16 + margin, 20 + margin)
        images[:, :, :16, :20] = torch.rand(1, 1, 16, 20, generator=torch.Generator().manual_seed(1))
        scores = built(images, torch.tensor([[16, 20]]))
        (scores.logits[0, 0] + scores.maps[0, 1, 2, 2]).backward()
        slopes.append(torch.cat([weights.grad.flatten() for weights in built.parameters() if weights.grad is not None]))
    torch.testing.assert_close(slopes[1], slopes[0], rtol=1e-4, atol=1e-6)


def test_a_cell_answers_for_the_pixels_it_covers() -> None:
    # The eight layers are made local averages, so that the map is a blurred copy of the picture.
    built = network(stride=4)
    for convolution, norm in zip(built.convolutions, built.norms, strict=True):
        convolution.weight.data.fill_(0.0)
        convolution.weight.data[:, :, 1, 1] = 1.0
        norm.reset_running_stats()
        torch.nn.init.zeros_(norm.bias)
    built.head.weight.data.fill_(1.0)
    image = torch.zeros(1, 1, 32, 32)
    image[0, 0, 13, 22] = 1.0
    peak = built(image, torch.tensor([[32, 32]])).maps[0, 0].argmax().item()
    assert divmod(peak, 8) == (13 // 4, 22 // 4)


def test_shared_views_use_one_network() -> None:
    assert list(ViewNetworks(TrainingSettings(widths=WIDTHS), 2).networks) == ["both"]


def test_separate_views_use_a_network_each_and_keep_the_order() -> None:
    torch.manual_seed(1)
    both = ViewNetworks(TrainingSettings(widths=WIDTHS, shared_views=False), 2).eval()
    images, sizes = torch.rand(4, 1, 16, 16), torch.full((4, 2), 16)
    coronal = torch.tensor([False, True, True, False])
    scores = both(images, sizes, coronal)
    for index, is_coronal in enumerate(coronal.tolist()):
        own = both.networks[Plane.CORONAL.value if is_coronal else Plane.SAGITTAL.value]
        expected = own(images[index : index + 1], sizes[:1])
        torch.testing.assert_close(scores.logits[index], expected.logits[0])
        torch.testing.assert_close(scores.maps[index], expected.maps[0])


def test_separate_views_answer_where_one_view_is_missing() -> None:
    both = ViewNetworks(TrainingSettings(widths=WIDTHS, shared_views=False), 2).eval()
    scores = both(torch.rand(2, 1, 16, 16), torch.full((2, 2), 16), torch.tensor([True, True]))
    assert scores.logits.shape == (2, 2)


def test_a_finer_map_that_keeps_its_context_sees_exactly_as_far() -> None:
    """The cell in the middle depends on the same input pixels at stride 2 with widened convolutions as at stride 4."""
    reaches = []
    for stride, context in ((4, 0), (2, 4), (2, 0)):
        network = EightLayerNetwork((2,) * 8, stride, 2, context_stride=context).eval()
        for convolution in network.convolutions:
            torch.nn.init.constant_(convolution.weight, 0.1)
        image = torch.ones(1, 1, 160, 160, requires_grad=True)
        maps = network(image, torch.tensor([[160, 160]])).maps
        middle = maps.shape[2] // 2
        maps[0, :, middle, middle].sum().backward()
        rows = torch.nonzero(image.grad[0, 0].abs().sum(1))[:, 0]
        reaches.append(int(rows.max() - rows.min() + 1))
    at_four, widened, plain = reaches
    assert abs(widened - at_four) <= 4, reaches
    assert plain < 0.6 * at_four


def test_widened_convolutions_do_not_see_what_a_view_is_batched_with() -> None:
    torch.manual_seed(1)
    built = EightLayerNetwork(WIDTHS, 2, 2, context_stride=8).eval()
    alone, wide = torch.rand(1, 1, 32, 16), torch.zeros(2, 1, 48, 40)
    wide[0, :, :32, :16], wide[1] = alone[0], torch.rand(1, 48, 40)
    together = built(wide, torch.tensor([[32, 16], [48, 40]]))
    single = built(alone, torch.tensor([[32, 16]]))
    torch.testing.assert_close(together.logits[:1], single.logits)
    torch.testing.assert_close(together.maps[:1, :, :16, :8], single.maps)


def test_the_score_is_the_mean_of_the_highest_cells_that_exist() -> None:
    maps = torch.arange(12.0).reshape(1, 1, 3, 4).repeat(2, 1, 1, 1)
    exists = torch.ones(2, 3, 4, dtype=torch.bool)
    exists[1, 2] = False
    scores = mean_of_highest(maps, exists, 0.25)
    assert scores.tolist() == [[(11 + 10 + 9) / 3], [(7 + 6) / 2]]
    assert mean_of_highest(maps, exists, 0.01).tolist() == [[11.0], [7.0]], "at least one cell"
    assert mean_of_highest(maps, exists, 1.0).tolist() == [[5.5], [3.5]]
