"""The minimisers: known optima, the textbook's directions, and what they do in trouble."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from styleengine.descent.adam import Adam
from styleengine.descent.lbfgs import FIRST_MOVE, LBFGS
from styleengine.descent.minimizer import Diverged
from styleengine.descent.vectors import add, dot, scale

pytestmark = pytest.mark.usefixtures("plain_precision")


def quadratic(n: int = 30, condition: float = 100.0, seed: int = 0):
    """``f(x) = ½ (x - c)ᵀ A (x - c)`` with eigenvalues from 1 to ``condition``; and c."""
    rng = np.random.default_rng(seed)
    q, _ = np.linalg.qr(rng.standard_normal((n, n)))
    a = torch.from_numpy((q * np.geomspace(1, condition, n)) @ q.T)
    c = torch.from_numpy(rng.random(n))
    return (lambda x: 0.5 * (x - c) @ a @ (x - c)), c


def rosenbrock(x: torch.Tensor) -> torch.Tensor:
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def evaluate(f, x: torch.Tensor) -> tuple[float, torch.Tensor]:
    at = x.detach().requires_grad_()
    value = f(at)
    (gradient,) = torch.autograd.grad(value, at)
    return float(value.detach()), gradient


def minimise(f, x: torch.Tensor, minimizer, steps: int) -> list[torch.Tensor]:
    """Every iterate, the first included; no more where it has converged."""
    path = [x.clone()]
    for _ in range(steps):
        if not minimizer.step(x, *evaluate(f, x)):
            break
        path.append(x.clone())
    return path


def best(f, path: list[torch.Tensor]) -> torch.Tensor:
    """The iterate of the lowest loss, which is what a run keeps; the last may be a trial."""
    return min(path, key=lambda p: evaluate(f, p)[0])


# --- L-BFGS ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("condition", [1.0, 100.0, 1e4])
def test_lbfgs_finds_the_minimum_of_a_quadratic(condition):
    # In no more than twice the steps in which conjugate gradients surely reach it (Nocedal & Wright
    # 2006, eq. 5.36, for the energy norm, which is no less than the distance here: A's least
    # eigenvalue is 1). How many they are hangs on rounding; that they are enough does not.
    f, c = quadratic(condition=condition)
    x = torch.zeros(30, dtype=torch.float64)
    energy = (2 * float(f(x))) ** 0.5
    root = condition**0.5
    rate = (root - 1) / (root + 1)
    steps = 40 if rate == 0 else 40 + 2 * math.ceil(math.log(1e-5 / (2 * energy)) / math.log(rate))
    found = best(f, minimise(f, x, LBFGS(), steps))
    assert float((found - c).abs().max()) < 1e-5


@pytest.mark.parametrize("n", [2, 10])
def test_lbfgs_follows_rosenbrocks_valley(n):
    x = torch.full((n,), 0.2, dtype=torch.float64)
    x[0] = -0.5
    found = best(rosenbrock, minimise(rosenbrock, x, LBFGS(), 400))
    assert float((found - 1).abs().max()) < 1e-4


def test_lbfgs_is_far_faster_than_steepest_descent():
    f, _ = quadratic(condition=1e3)
    x = torch.zeros(30, dtype=torch.float64)
    minimise(f, x, LBFGS(), 100)
    steepest = torch.zeros(30, dtype=torch.float64)
    for _ in range(100):
        steepest -= 2 / (1e3 + 1) * evaluate(f, steepest)[1]
    assert evaluate(f, x)[0] < 1e-3 * evaluate(f, steepest)[0]


def test_the_first_move_is_downhill_and_small():
    x = torch.rand(1, 3, 8, 8)
    gradient = torch.randn(1, 3, 8, 8) * 1e-6
    before = x.clone()
    LBFGS().step(x, 1.0, gradient)
    move = x - before
    assert float(move.square().mean().sqrt()) == pytest.approx(FIRST_MOVE, rel=1e-3)
    torch.testing.assert_close(move / move.norm(), -gradient / gradient.norm(), atol=1e-4, rtol=0)


@pytest.mark.parametrize("history", [1, 3])
def test_directions_are_those_of_the_inverse_hessian_updated_pair_by_pair(history):
    # Nocedal & Wright 2006, eq. 7.16–7.20: H = VᵀHV + ρ s sᵀ from H₀ = (s·y / y·y) I, dense.
    x = torch.from_numpy(np.random.default_rng(1).random(6))
    path = minimise(rosenbrock, x, LBFGS(history), 8)
    gradients = [evaluate(rosenbrock, p)[1].numpy() for p in path]
    points = [p.numpy() for p in path]
    for k in range(1, 8):
        pairs = [
            (points[i + 1] - points[i], gradients[i + 1] - gradients[i])
            for i in range(max(0, k - history), k)
        ]
        assert all(s @ y > 0 for s, y in pairs)  # or the pair is rightly left out
        s, y = pairs[-1]
        h = np.eye(6) * (s @ y) / (y @ y)
        for s, y in pairs:
            v = np.eye(6) - np.outer(y, s) / (s @ y)
            h = v.T @ h @ v + np.outer(s, s) / (s @ y)
        np.testing.assert_allclose(points[k + 1] - points[k], -h @ gradients[k], rtol=1e-6)


def test_steps_equal_those_of_torchs_lbfgs():
    # torch's first step is min(1, 1/|g|₁)·g, ours `FIRST_MOVE` in root mean square: at this
    # scale of the function they are the same.
    f, _ = quadratic(n=20, condition=30.0)
    x = torch.zeros(20, dtype=torch.float64)
    _, gradient = evaluate(f, x)
    scale = FIRST_MOVE / float(gradient.square().mean().sqrt())

    def scaled(x):
        return f(x) * scale

    assert float(evaluate(scaled, x)[1].abs().sum()) < 1
    theirs = torch.zeros(20, dtype=torch.float64, requires_grad=True)
    reference = torch.optim.LBFGS([theirs], lr=1, max_iter=1, history_size=5)
    minimizer = LBFGS(5)
    for _ in range(12):
        minimizer.step(x, *evaluate(scaled, x))

        def closure():
            theirs.grad = None
            value = scaled(theirs)
            value.backward()
            return value

        reference.step(closure)
        torch.testing.assert_close(x, theirs.detach(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("factor", [1e-12, 1e12])
def test_the_scale_of_the_loss_does_not_matter(factor):
    start = torch.full((6,), 0.3, dtype=torch.float64)
    ours = minimise(rosenbrock, start.clone(), LBFGS(), 30)
    scaled = minimise(lambda x: rosenbrock(x) * factor, start.clone(), LBFGS(), 30)
    torch.testing.assert_close(torch.stack(scaled), torch.stack(ours), rtol=1e-6, atol=1e-9)


def test_a_step_far_uphill_is_taken_back_and_shortened():
    x = torch.zeros(4)
    minimizer = LBFGS()
    downhill = torch.tensor([1.0, 0, 0, 0])
    minimizer.step(x, 1.0, downhill)
    move = x.clone()
    assert float(move[0]) < 0
    minimizer.step(x, 100.0, -downhill)
    torch.testing.assert_close(x, move * 0.1)
    minimizer.step(x, 100.0, -downhill)
    torch.testing.assert_close(x, move * 0.01)


def test_what_led_uphill_is_forgotten():
    def run(steps):
        x = torch.zeros(4, dtype=torch.float64)
        minimizer = LBFGS()
        moves = []
        for loss, gradient in steps:
            before = x.clone()
            minimizer.step(x, loss, torch.tensor(gradient, dtype=torch.float64))
            moves.append(x - before)
        return moves

    curved = (2.0, [2.0, 0.9, 0.5, 0.1])
    last = (1.0, [1.0, 0.8, 0.1, 0.3])
    # Taken back, and then a point where the move since then tells nothing (no curvature): the
    # step is the first of a new history, straight against the gradient.
    level = (0.9, last[1])
    moves = run([(3.0, [3.0, 1.0, 2.0, 0.0]), curved, last, (1e6, [5.0, 5.0, 5.0, 5.0]), level])
    gradient = torch.tensor(level[1], dtype=torch.float64)
    torch.testing.assert_close(moves[-1] / moves[-1].norm(), -gradient / gradient.norm())
    # It is no longer than the one that was not taken back.
    assert float(moves[-1].norm()) == pytest.approx(0.1 * float(moves[2].norm()))


def test_a_wall_is_climbed_back_and_the_minimum_before_it_found():
    # x² up to a wall at 1 that any long step runs into.
    def f(x):
        return ((x - 0.9) ** 2).sum() + 1e6 * (x - 1).clamp_min(0).sum()

    x = torch.zeros(5, dtype=torch.float64)
    path = minimise(f, x, LBFGS(), 60)
    assert min(evaluate(f, p)[0] for p in path) < 1e-6


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_one_bad_evaluation_is_survived(bad):
    f, c = quadratic()
    x = torch.zeros(30, dtype=torch.float64)
    minimizer = LBFGS()
    path = []
    for i in range(200):
        loss, gradient = evaluate(f, x)
        path.append(x.clone())
        if i == 5:
            loss, gradient = bad, gradient * bad
        if not minimizer.step(x, loss, gradient):
            break
    assert i > 5
    assert float((best(f, path) - c).abs().max()) < 1e-5


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_lbfgs_gives_up_when_nothing_is_finite_any_more(bad):
    x = torch.zeros(4)
    minimizer = LBFGS(retries=6)
    minimizer.step(x, 1.0, torch.ones(4))
    with pytest.raises(Diverged):
        for _ in range(7):
            minimizer.step(x, bad, torch.ones(4) * bad)
    assert torch.isfinite(x).all()


def test_lbfgs_does_not_start_from_nonsense():
    x = torch.zeros(4)
    with pytest.raises(Diverged):
        LBFGS().step(x, 1.0, torch.tensor([1.0, float("nan"), 0, 0]))
    assert torch.equal(x, torch.zeros(4))


def test_lbfgs_stays_at_a_minimum_and_says_so():
    x = torch.full((4,), 0.5)
    minimizer = LBFGS()
    for _ in range(3):
        assert not minimizer.step(x, 0.0, torch.zeros(4))
        minimizer.retract(x)
        assert torch.equal(x, torch.full((4,), 0.5))


def rounded(f, relative: float, seed: int, dtype: torch.dtype):
    """``f`` as evaluated with rounding: exactly, but for a picture that is off by so much."""
    rng = torch.Generator().manual_seed(seed)

    def evaluation(x):
        noise = torch.randn(x.shape, generator=rng, dtype=torch.float64)
        loss, gradient = evaluate(f, x.double() * (1 + relative * noise))
        return loss, gradient.to(dtype)

    return evaluation


PRECISIONS = [
    (torch.float64, torch.float64, 2.0**-53),
    (torch.float32, torch.float32, 2.0**-24),
    (torch.float32, torch.float32, 2.0**-9),  # a network in bfloat16
    (torch.float32, torch.float16, 2.0**-11),
]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("dtype", "vectors", "relative"), PRECISIONS)
@pytest.mark.parametrize("away", [0.0, 1e-3, 0.5])
def test_a_run_that_has_come_down_to_rounding_has_not_diverged(
    away, dtype, vectors, relative, seed
):
    # The mean square keeps float16's range, as `Objective` does.
    exact, c = quadratic(n=60, condition=100.0, seed=seed)
    evaluation = rounded(lambda x: exact(x) / 60, relative, seed, vectors)
    x = (c + away * torch.from_numpy(np.random.default_rng(seed).random(60) - 0.5)).to(dtype)
    start = x.clone()
    minimizer, path = LBFGS(), []
    for _ in range(200):
        loss, gradient = evaluation(x)
        path.append((loss, x.clone()))
        if not minimizer.step(x, loss, gradient):
            break
    kept = min(path, key=lambda pair: pair[0])[1].double()
    # What is kept is as good as what rounding lets one see: the error of the gradient, at worst
    # that of the stiffest direction, over the curvature of the softest.
    floor = float(exact(c + relative * c.norm() * torch.ones_like(c)))
    assert float(exact(kept)) <= max(floor, 1e-3 * float(exact(start.double())))


def test_the_start_is_kept_where_nothing_is_better():
    # A photo in its own style: at the first evaluation the loss and its gradient are rounding.
    exact, c = quadratic(n=60)
    x = c.float()
    start, minimizer = x.clone(), LBFGS()
    evaluation = rounded(exact, 2.0**-24, 1, torch.float32)
    steps = 0
    loss, gradient = 1e-20, evaluation(x)[1]
    while minimizer.step(x, loss, gradient):
        steps += 1
        loss, gradient = evaluation(x)
    assert 0 < steps < 10  # `FIRST_MOVE`, and tenfold shorter ones until float32 holds none
    torch.testing.assert_close(x, start, rtol=0, atol=1e-6)


@pytest.mark.parametrize("after", [1, 5])
def test_a_finite_loss_that_does_not_come_back_down_is_no_convergence(after):
    f, _ = quadratic()
    x, minimizer, steps = torch.zeros(30, dtype=torch.float64), LBFGS(), 0
    with pytest.raises(Diverged):
        for steps in range(60):
            loss, gradient = evaluate(f, x)
            assert minimizer.step(x, loss if steps < after else 1e30, gradient)
    assert torch.isfinite(x).all()


def test_a_huge_step_uphill_is_followed_by_the_first_of_a_new_history():
    x = torch.zeros(4, dtype=torch.float64)
    minimizer = LBFGS()
    minimizer.step(x, 4.0, torch.tensor([1.0, 1.0, 1.0, 1.0], dtype=torch.float64))
    nearly = torch.tensor([1.0, 1.0, 1.0, 1.0], dtype=torch.float64) * (1 - 1e-9)
    at = x.clone()
    minimizer.step(x, 3.9, nearly)  # hardly any curvature: a step of the length 1e7
    assert float((x - at).abs().max()) > 1e3
    minimizer.step(x, 1e9, -nearly)
    assert float((x - at).square().mean().sqrt()) == pytest.approx(FIRST_MOVE, rel=1e-3)


def test_a_step_that_is_not_finite_is_not_taken():
    x = torch.zeros(4)
    with pytest.raises(Diverged):
        LBFGS().step(x, 1.0, torch.full((4,), 3e38))
    assert torch.equal(x, torch.zeros(4))


def test_pairs_without_curvature_are_left_out():
    # A concave stretch: s·y < 0. The step after it must still go downhill.
    x = torch.zeros(3, dtype=torch.float64)
    minimizer = LBFGS()
    minimizer.step(x, 1.0, torch.tensor([1.0, 0, 0], dtype=torch.float64))
    gradient = torch.tensor([3.0, 0.5, 0], dtype=torch.float64)
    before = x.clone()
    minimizer.step(x, 0.9, gradient)
    assert float((x - before) @ gradient) < 0


# --- Adam -----------------------------------------------------------------------------------------


def test_adam_equals_torchs_where_epsilon_does_not_matter():
    f, _ = quadratic(n=10, condition=5.0)
    x = torch.full((10,), 0.5, dtype=torch.float64)
    theirs = x.clone().requires_grad_()
    reference = torch.optim.Adam([theirs], lr=0.02, betas=(0.9, 0.99), eps=0)
    minimizer = Adam(0.02, clamp=None)
    for _ in range(20):
        minimizer.step(x, *evaluate(f, x))
        theirs.grad = None
        f(theirs).backward()
        reference.step()
    torch.testing.assert_close(x, theirs.detach(), atol=2e-3, rtol=0)


def test_adam_goes_to_the_minimum():
    f, c = quadratic(condition=10.0)
    x = torch.full((30,), 0.5, dtype=torch.float64)
    minimizer = Adam()
    minimise(f, x, minimizer, 600)
    assert float((minimizer.average(x) - c).abs().max()) < 0.01


@pytest.mark.parametrize("factor", [1e-15, 1e6])
def test_adam_does_not_mind_the_scale_of_the_loss(factor):
    f, _ = quadratic()
    start = torch.full((30,), 0.5)
    f32 = lambda x: f(x.double())  # noqa: E731
    ours = minimise(f32, start.clone(), Adam(), 20)
    scaled = minimise(lambda x: f32(x) * factor, start.clone(), Adam(), 20)
    torch.testing.assert_close(scaled[-1], ours[-1], rtol=1e-3, atol=1e-4)


def test_adam_stays_within_the_range_of_pictures():
    x = torch.rand(1, 3, 5, 5)
    minimizer = Adam(0.3)
    for sign in (1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1, -1):
        minimizer.step(x, 1.0, torch.full_like(x, float(sign)))
        assert float(x.min()) >= 0 and float(x.max()) <= 1


def test_adams_average_is_the_unbiased_exponential_mean_of_its_iterates():
    f, _ = quadratic(n=5)
    x = torch.full((5,), 0.5, dtype=torch.float64)
    minimizer = Adam(averaging=0.8)
    assert torch.equal(minimizer.average(x), x)
    path = minimise(f, x, minimizer, 6)[1:]
    weights = [0.8 ** (6 - k) for k in range(1, 7)]
    expected = sum(w * p for w, p in zip(weights, path, strict=True)) / sum(weights)
    torch.testing.assert_close(minimizer.average(x), expected)


def test_adams_average_is_nearer_than_its_last_iterate_under_noise():
    f, c = quadratic(condition=50.0)
    rng = torch.Generator().manual_seed(0)
    x = torch.full((30,), 0.5, dtype=torch.float64)
    minimizer = Adam(0.05, clamp=None)
    for _ in range(400):
        loss, gradient = evaluate(f, x)
        noise = torch.randn(30, generator=rng, dtype=torch.float64)
        minimizer.step(x, loss, gradient + noise)
    assert float((minimizer.average(x) - c).norm()) < 0.6 * float((x - c).norm())


@pytest.mark.parametrize(
    ("loss", "gradient"), [(float("nan"), 1.0), (1.0, float("nan")), (1.0, float("inf"))]
)
def test_adam_gives_up_on_nonsense_and_leaves_the_picture(loss, gradient):
    x = torch.full((4,), 0.5)
    with pytest.raises(Diverged):
        Adam().step(x, loss, torch.tensor([1.0, gradient, 1.0, 1.0]))
    assert torch.equal(x, torch.full((4,), 0.5))


def test_adam_without_any_gradient_does_not_move():
    x = torch.full((4,), 0.5)
    minimizer = Adam()
    for _ in range(3):
        minimizer.step(x, 0.0, torch.zeros(4))
    assert torch.equal(x, torch.full((4,), 0.5))


# --- in float16 -----------------------------------------------------------------------------------


def test_vectors_are_added_and_multiplied_in_pieces_as_in_one(monkeypatch):
    monkeypatch.setattr("styleengine.descent.vectors.PIECE", 100)
    a, b = (torch.randn(3, 7, 31, generator=torch.Generator().manual_seed(k)) for k in (1, 2))
    half = b.half()
    assert dot(a, half) == pytest.approx(float((a.double() * half.double()).sum()), rel=1e-5)
    expected = a + 0.3 * half.float()
    add(a, half, 0.3)
    torch.testing.assert_close(a, expected)
    assert torch.equal(scale(half.clone(), 0.25), half * 0.25)  # exact, in any precision


def test_lbfgs_in_float16_goes_the_same_way():
    f, minimum = quadratic(n=200, condition=30.0)

    def run(dtype):
        x, minimizer = torch.zeros(200), LBFGS(3)
        for _ in range(12):
            loss, gradient = evaluate(lambda x: f(x.double()), x)
            minimizer.step(x, loss, gradient.to(dtype))
        minimizer.retract(x)
        return x

    wide, narrow = run(torch.float32), run(torch.float16)
    assert 1e-5 < float((wide - minimum).norm() / minimum.norm()) < 0.2
    assert float((narrow - wide).norm() / wide.norm()) < 0.02


def test_retracting_restores_what_was_evaluated():
    for minimizer in (LBFGS(), LBFGS(1)):
        x = torch.rand(1, 3, 8, 8)
        for k in range(4):
            before = x.clone()
            minimizer.step(x, 1.0 / (k + 1), torch.randn(1, 3, 8, 8).half())
            assert not torch.equal(x, before)
        minimizer.retract(x)
        torch.testing.assert_close(x, before, rtol=0, atol=1e-6)
    x = torch.rand(4)
    adam = Adam()
    adam.step(x, 1.0, torch.ones(4))
    expected = adam.average(x).clone()
    adam.retract(x)
    assert torch.equal(x, expected)


@pytest.mark.parametrize(
    ("loss", "kept"), [(0.9, True), (3.9, True), (4.1, False), (math.nan, False)]
)
def test_settling_takes_the_last_move_back_only_where_it_led_far_uphill(loss, kept):
    x, minimizer = torch.rand(1, 3, 8, 8), LBFGS(1)
    before = x.clone()
    minimizer.step(x, 1.0, torch.randn(1, 3, 8, 8))
    moved = x.clone()
    assert minimizer.settle(x, loss)
    torch.testing.assert_close(x, moved if kept else before, rtol=0, atol=1e-6)
    settled = x.clone()
    minimizer.retract(x)  # there is no unproven move any more
    assert torch.equal(x, settled)
