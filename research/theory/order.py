r"""Closed forms of what the order does, for the model of `quadratic`.

Call $G_m$ what modality m *gains by coming last*: its loss after the cycle when it comes first, less its loss
when it comes last, its memory included. Then, exactly,

$$
L_{\text{fusion}}^{\text{weak first}} - L_{\text{fusion}}^{\text{strong first}} = a_1 G_1 - a_2 G_2
$$

and weak to strong wins just where $a_1 G_1 < a_2 G_2$. That gain is known in two places: after one cycle
(`gains`) and at the limit of endless cycles (`gains_at_rest`). Below, g are the gradients at the start,
$\kappa_s$ is the transfer that the last step meets, $\kappa_r$ the one that the fusion loss reads. All of
it is ours.
"""

from __future__ import annotations

import numpy as np

from research.theory.quadratic import (
    Cycle,
    Order,
    Problems,
    State,
    curvatures,
    fusion_loss,
    gradients,
    run_cycle,
    visits,
)


def difference(gains: np.ndarray, cycle: Cycle) -> np.ndarray:
    """Return a1 G1 - a2 G2 (P,): the fusion loss of weak first less that of strong first; below 0 weak first wins.

    Args:
        gains: G (P, 2).
        cycle: which has the weights.

    Example:
        >>> difference(np.array([[0.5, 0.2]]), Cycle(ratio=0.1, step=0.1)).round(3).tolist()
        [-0.15]
    """
    return gains @ np.array([cycle.weights[0], -cycle.weights[1]])


def gains(problems: Problems, cycle: Cycle) -> np.ndarray:
    r"""Return what each modality gains by coming last in the first cycle, G (P, 2).

    $$
    \begin{aligned}
    G_m &= (x_m - y_m)^\top Q_m \bigl(\tfrac12 (x_m + y_m) - t_m\bigr) \\
    x_m &= \bar\theta + \eta_1 \eta_2 (1 + \kappa_s)\, Q_o g_m, \qquad
    y_m = \bar\theta + \eta_1 \eta_2 (1 + \kappa_s)\, Q_m g_o - \kappa_r \eta_o g_o \\
    \bar\theta &= \theta_0 - \eta_1 g_1 - \eta_2 g_2
    \end{aligned}
    $$

    o is the other modality; m's loss is taken at x if m comes first, at y if it comes last.

    Example:
        >>> problems = Problems(np.ones((1, 2, 1, 1)), np.array([[[0.5], [1.0]]]), np.zeros((1, 1)))
        >>> gains(problems, Cycle(ratio=0.1, step=0.1, transfer=1.0)).round(4).tolist()
        [[0.0284, 0.0504]]
    """
    Q, g = curvatures(problems, cycle), gradients(problems, cycle, problems.start)
    middle = problems.start - np.einsum("m,pmi->pi", np.array(cycle.steps), g)
    bend = cycle.steps[0] * cycle.steps[1] * (1 + cycle.met)
    found = []
    for m, other in ((0, 1), (1, 0)):
        x = middle + bend * _times(Q[:, other], g[:, m])
        y = middle + bend * _times(Q[:, m], g[:, other]) - cycle.read * cycle.steps[other] * g[:, other]
        found.append(np.sum((x - y) * _times(Q[:, m], (x + y) / 2 - problems.optima[:, m]), axis=-1))
    return np.stack(found, axis=-1)


def leading_gains(problems: Problems, cycle: Cycle) -> np.ndarray:
    r"""Return the part of `gains` that is of first order in the steps (P, 2), of second where that is 0.

    $$
    G_m = \kappa_r\, \eta_o\, g_1^\top g_2 + O(\eta^2), \qquad
    G_m = \eta_1 \eta_2 (1 + \kappa_s)\, g_m^\top (Q_o g_m - Q_m g_o) + O(\eta^3) \text{ if } \kappa_r = 0
    $$
    """
    Q, g = curvatures(problems, cycle), gradients(problems, cycle, problems.start)
    found = []
    for m, other in ((0, 1), (1, 0)):
        if cycle.read:
            found.append(cycle.read * cycle.steps[other] * np.sum(g[:, m] * g[:, other], axis=-1))
        else:
            turn = _times(Q[:, other], g[:, m]) - _times(Q[:, m], g[:, other])
            found.append(cycle.steps[0] * cycle.steps[1] * (1 + cycle.met) * np.sum(g[:, m] * turn, axis=-1))
    return np.stack(found, axis=-1)


def fixed_points(problems: Problems, cycle: Cycle, order: Order) -> np.ndarray:
    r"""Return the limit of endless cycles (P, d), by one linear solve; NaN where they do not converge.

    $$
    \bigl(\eta_l Q_l + \eta_f (I - \eta_l (1 + \kappa_s) Q_l) Q_f\bigr)\, \theta^*
    = \eta_l Q_l t_l + \eta_f (I - \eta_l (1 + \kappa_s) Q_l) Q_f t_f
    $$

    for f first, l last: the first one's pull is damped by what the last one undoes. A cycle is an affine map, and
    converges where the eigenvalues of its matrix, the identity less the matrix above, lie inside the unit circle. The
    other order's matrix is the transpose, so that both converge or neither.

    Example:
        >>> problems = Problems(np.ones((1, 2, 1, 1)), np.array([[[-1.0], [1.0]]]), np.zeros((1, 1)))
        >>> fixed_points(problems, Cycle(ratio=0.1, step=0.1), "weak_to_strong").round(4).tolist()
        [[0.0526]]
    """
    first, last = visits(order)
    Q = curvatures(problems, cycle)
    pull = cycle.steps[last] * Q[:, last]
    damped = cycle.steps[first] * (Q[:, first] - (1 + cycle.met) * pull @ Q[:, first])
    matrix = pull + damped
    target = _times(pull, problems.optima[:, last]) + _times(damped, problems.optima[:, first])
    good = np.abs(np.linalg.eigvals(np.eye(matrix.shape[-1]) - matrix)).max(-1) < 1
    found = np.full_like(target, np.nan)
    found[good] = np.linalg.solve(matrix[good], target[good][..., None])[..., 0]
    return found


def gains_at_rest(problems: Problems, cycle: Cycle) -> np.ndarray:
    r"""Return what each modality gains by coming last at the limit of endless cycles, G (P, 2); NaN if they diverge.

    $$
    G_m = \frac{c}{\eta_m} \|u\|^2 - \frac{c^2}{2}\, u^\top Q_m u, \qquad c = 1 + \kappa_s - \kappa_r
    $$

    u is the first modality's step there, which the last one takes back. Exact: at rest the two orders meet the same
    pair of gradients in the other order, so that u only changes its sign, and where memory is both met and read
    $\kappa$ acts through u alone. Each gains by coming last as long as
    $0 < c\, \eta_m \lambda_{\max}(Q_m) < 2$.

    Example:
        >>> problems = Problems(np.ones((1, 2, 1, 1)), np.array([[[-1.0], [1.0]]]), np.zeros((1, 1)))
        >>> gains_at_rest(problems, Cycle(ratio=0.1, step=0.1)).round(4).tolist()
        [[0.1053, 0.1053]]
    """
    rest = fixed_points(problems, cycle, "weak_to_strong")
    u = cycle.steps[0] * gradients(problems, cycle, rest)[:, 0]
    bent = np.einsum("pi,pmij,pj->pm", u, curvatures(problems, cycle), u)
    length = np.sum(u**2, axis=-1, keepdims=True)
    return cycle.carried / np.array(cycle.steps) * length - cycle.carried**2 / 2 * bent


def leading_gains_at_rest(problems: Problems, cycle: Cycle) -> np.ndarray:
    r"""Return what `gains_at_rest` tends to for small steps (P, 2).

    $$
    G_m \to \frac{c}{\eta_m} \|u\|^2, \qquad
    u \to \Bigl(\frac{Q_1^{-1}}{\eta_1} + \frac{Q_2^{-1}}{\eta_2}\Bigr)^{-1} (t_2 - t_1)
    $$

    It vanishes where the optima agree, and with the step.
    """
    Q = np.array(cycle.steps)[:, None, None] * curvatures(problems, cycle)
    apart = _times(Q[:, 1], problems.optima[:, 1] - problems.optima[:, 0])
    u = _times(Q[:, 0], np.linalg.solve(Q.sum(1), apart[..., None])[..., 0])
    return cycle.carried / np.array(cycle.steps) * np.sum(u**2, axis=-1, keepdims=True)


def excess_at_rest(problems: Problems, cycle: Cycle, order: Order) -> np.ndarray:
    """Return by how much the fusion loss at rest is above the least that any point has without memory (P,).

    To first order cycles converge to where eta1 L1 + eta2 L2 is least, not a1 L1 + a2 L2: in most readings this
    matters more than the order does.

    Example:
        >>> problems = Problems(np.ones((1, 2, 1, 1)), np.array([[[-1.0], [1.0]]]), np.zeros((1, 1)))
        >>> [excess_at_rest(problems, Cycle(ratio=0.1, step=0.1, weak=weak), "weak_to_strong").round(3).tolist()
        ...  for weak in ("light", "slow")]
        [[0.322], [0.0]]
    """
    Q = np.array(cycle.weights)[:, None, None] * curvatures(problems, cycle)
    best = np.linalg.solve(Q.sum(1), np.einsum("pmij,pmj->pi", Q, problems.optima)[..., None])[..., 0]
    least = fusion_loss(problems, cycle, State(best, np.zeros_like(problems.optima)))
    rest = run_cycle(problems, cycle, order, fixed_points(problems, cycle, order))
    return fusion_loss(problems, cycle, rest) - least


def critical_ratio(gains: np.ndarray) -> np.ndarray:
    """Return the ratio a1 / a2 below which weak first wins (P,), for gains that do not depend on it ("light").

    G2 / G1 where both gain by coming last; infinite where only the strong one does; 0 where the strong one does not,
    for then a small a1 does not help.

    Args:
        gains: G (P, 2).

    Example:
        >>> critical_ratio(np.array([[0.4, 0.2], [-0.1, 0.2], [0.3, -0.2]])).tolist()
        [0.5, inf, 0.0]
    """
    weak, strong = gains.T
    ratio = np.divide(strong, weak, out=np.full_like(strong, np.inf), where=weak > 0)
    return np.where(strong > 0, ratio, 0.0)


def isotropic_gain(agreement: np.ndarray | float, step: float, transfer: np.ndarray | float) -> np.ndarray | float:
    r"""Return G after one cycle, the same for both, with curvatures of 1 and both optima at distance 1 from the start.

    $$
    2 G = \eta^2 \bigl(1 + 2k(1-\eta) - k^2(1-2\eta)\bigr) + 2\rho\,\eta\,\bigl(k(1-2\eta) - (1-\eta)\bigr),
    \qquad k = 1 + \kappa
    $$

    The difference is then (a1 - a2) G: weak first wins where G > 0, whatever the ratio.

    Args:
        agreement: rho, the cosine of the ways from the start to the optima.
        step: eta.
        transfer: kappa, both met and read.

    Example:
        >>> round(isotropic_gain(0.5, 0.1, 1.0), 4), round(isotropic_gain(-0.5, 0.1, 1.0), 4)
        (0.042, -0.028)
    """
    k = 1 + transfer
    bend = 1 + 2 * k * (1 - step) - k**2 * (1 - 2 * step)
    return step**2 * bend / 2 + agreement * step * (k * (1 - 2 * step) - (1 - step))


def _times(matrices: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    return np.einsum("pij,pj->pi", matrices, vectors)
