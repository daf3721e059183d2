"""Every fusion again, one sample at a time in NumPy: slow, plain, and independent of the package's tensors."""

from __future__ import annotations

import functools
import math

import numpy as np
import scipy.stats
from sklearn.impute import KNNImputer

from equimodal.models.absence.iterative import ROUNDS


def _array(tensor):
    return tensor.detach().double().numpy()


def _linear(layer, x):
    out = _array(layer.weight) @ x
    return out if layer.bias is None else out + _array(layer.bias)


def _softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(cell, x, h, c):
    """One step of an LSTM cell, by its definition."""
    gates = _array(cell.weight_ih) @ x + _array(cell.bias_ih) + _array(cell.weight_hh) @ h + _array(cell.bias_hh)
    i, f, g, o = np.split(gates, 4)
    c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
    return _sigmoid(o) * np.tanh(c), c


def bounded(row):
    """What the residual memory reads of a representation."""
    return np.tanh(2 * (row - row.mean()) / np.sqrt(row.var() + 1e-5))


def _visits(fusion, sample):
    """Yield the modalities that a sample has, in order: with the memory's state after each, and what it was made of."""
    h, c = (_array(fusion.memory.inherited_h), _array(fusion.memory.inherited_c)) if fusion.remembers else (0, 0)
    for name in fusion.order:
        if name not in sample:
            continue
        if fusion.remembers:
            z = sample[name]
            mapped = _linear(fusion.mapping.maps[name], z) if name in fusion.mapping.maps else z
            h, c = lstm(fusion.memory.cell, bounded(mapped) if fusion.mapping.bounded else mapped, h, c)
            yield name, h, mapped
        else:
            yield name, h, None


def _decision(fusion, name, z):
    return _linear(fusion.heads["shared" if "shared" in fusion.heads else name], z)


def refined(fusion, sample):
    return np.mean(
        [
            _decision(fusion, name, sample[name] + (_linear(fusion.refinement.output, h) if fusion.remembers else 0))
            for name, h, _ in _visits(fusion, sample)
        ],
        axis=0,
    )


def memory(fusion, sample):
    pooled = late(fusion, sample)
    if not fusion.remembers or len(sample) < 2:
        return pooled
    part, carried, products, factors, each = fusion.correction, 0, 0, [], []
    for _, h, mapped in _visits(fusion, sample):
        carried = carried + mapped
        factor = _linear(part.factors, mapped)
        products = products + sum(factor * before for before in factors)
        factors.append(factor)
        hidden = np.maximum(_linear(part.of_state, h) + _linear(part.of_representations, carried) + products, 0)
        each.append(_linear(part.output, hidden))
    return pooled + _array(fusion.strength) * np.mean(each[1:], axis=0)


def _pooled(fusion, logits):
    """The pool by its definition; `logits` by modality."""
    pool = fusion.pool
    if pool.kind == "fitted":
        weights = [_array(pool.weights)[pool.modalities.index(name)] for name in logits]
        beta, gamma = _array(pool.inverse_temperature), _array(pool.exponent)
        if pool.average == "logits":
            logs = [np.log(_softmax(one)) for one in logits.values()]
            return beta * sum(w * one for w, one in zip(weights, logs, strict=True)) / sum(weights) ** gamma
        return np.log(np.average([_softmax(beta * one) for one in logits.values()], axis=0, weights=weights))
    weights = None
    if pool.kind == "entropy":
        weights = [math.exp(-scipy.stats.entropy(_softmax(one))) for one in logits.values()]
    if pool.average == "logits":
        return np.average(list(logits.values()), axis=0, weights=weights)
    return np.log(np.average([_softmax(one) for one in logits.values()], axis=0, weights=weights))


def late(fusion, sample):
    return _pooled(fusion, {name: _decision(fusion, name, z) for name, z in sample.items()})


def _knn(stand_in, sample):
    """scikit-learn's, with the rows kept."""
    rows, have = _array(stand_in.donors)[: int(stand_in.rows)], _array(stand_in.have)[: int(stand_in.rows)] > 0
    reference = KNNImputer(n_neighbors=stand_in.neighbours)
    reference.fit(np.where(have[..., None], rows, np.nan).reshape(len(rows), -1))
    holes = np.full(rows.shape[2], np.nan)
    row = np.concatenate([sample.get(name, holes) for name in stand_in.modalities])
    return reference.transform(row[None])[0].reshape(rows.shape[1:])


def _iterative(stand_in, sample):
    """Rounds over the modalities, as they are written."""
    names, weights, bias = stand_in.modalities, _array(stand_in.weights), _array(stand_in.bias)
    rows = [sample.get(name, _array(stand_in.centre)[i]) for i, name in enumerate(names)]
    for _ in range(ROUNDS):
        for t, name in enumerate(names):
            if name not in sample:
                rows[t] = bias[t] + sum(rows[s] @ weights[s, t] for s in range(len(names)) if s != t)
    return rows


def _mapped(stand_in, sample):
    """The mean of what each modality says."""
    names, centre, scale = stand_in.modalities, _array(stand_in.centre), _array(stand_in.scale)
    rows = []
    for t, target in enumerate(names):
        said = []
        for s, source in enumerate(names):
            if source in sample and s != t:
                x = (sample[source] - centre[s]) / scale[s]
                hidden = np.maximum(x @ _array(stand_in.inner)[s, t] + _array(stand_in.inner_bias)[s, t], 0)
                said.append(hidden @ _array(stand_in.outer)[s, t] + _array(stand_in.outer_bias)[s, t])
        rows.append(sample[target] if target in sample else centre[t] + scale[t] * np.mean(said, axis=0))
    return rows


def _filled(fusion, sample):
    stand_in, absent = fusion.substitute, fusion.options["absent"]
    imputed = {"knn": _knn, "iterative": _iterative, "mapped": _mapped}
    if absent in imputed:
        return imputed[absent](stand_in, sample)
    instead = {
        "mean": stand_in.mean,
        "zeros": 0 * stand_in.mean,
        "learned": getattr(stand_in, "learned", None),
    }[absent]
    return [sample.get(name, _array(instead[i])) for i, name in enumerate(fusion.modalities)]


def concat(fusion, sample):
    return _linear(fusion.head, np.concatenate(_filled(fusion, sample)))


def gated(fusion, sample):
    filled = _filled(fusion, sample)
    gates = _softmax(_linear(fusion.gate, np.concatenate(filled)))
    mixed = sum(g * np.tanh(_linear(value, z)) for g, value, z in zip(gates, fusion.values, filled, strict=True))
    return _linear(fusion.head, mixed)


def added(fusion, sample):
    return _linear(fusion.head, sum(sample.values()) * len(fusion.modalities) / len(sample))


def cosine(fusion, sample):
    each = []
    for name, h in sample.items():
        weight = _array(fusion.directions[name].weight)
        each.append([w @ h / (np.linalg.norm(w) * np.linalg.norm(h)) for w in weight])
    return fusion.scale * len(fusion.modalities) * np.mean(each, axis=0)


def quality(fusion, sample):
    logits = {name: _linear(fusion.heads[name], h) for name, h in sample.items()}
    weights = {name: math.log(1 + sum(math.exp(score) for score in z)) for name, z in logits.items()}
    total = sum(weights[name] * logits[name] for name in sample)
    return total / (sum(weights.values()) if fusion.combine == "mean" else 10)


def opinion(evidence):
    """Beliefs and uncertainty."""
    strength = sum(e + 1 for e in evidence)
    return [e / strength for e in evidence], len(evidence) / strength


def dempster(one, other):
    """Two opinions, combined as the rule is written."""
    (b1, u1), (b2, u2) = one, other
    conflict = sum(x * y for i, x in enumerate(b1) for j, y in enumerate(b2) if i != j)
    return [(x * y + x * u2 + y * u1) / (1 - conflict) for x, y in zip(b1, b2, strict=True)], u1 * u2 / (1 - conflict)


def expected(opinion):
    """The Dirichlet distribution's expectation, by its alphas."""
    beliefs, uncertainty = opinion
    strength = len(beliefs) / uncertainty
    return np.array([float((belief * strength + 1) / strength) for belief in beliefs])


def evidential(fusion, sample):
    opinions = [opinion(np.log1p(np.exp(_linear(fusion.heads[name], h)))) for name, h in sample.items()]
    return np.log(expected(functools.reduce(dempster, opinions)))


def mlp(fusion, sample):
    hidden = _linear(fusion.hidden, np.concatenate(_filled(fusion, sample)))
    return _linear(fusion.head, np.maximum(hidden, 0))


def bilinear(fusion, sample):
    """Sum over the terms of the product of what each modality's [h; 1] gives, as the paper writes it."""
    fused = np.zeros(fusion.hidden)
    for r in range(fusion.rank):
        product = np.ones(fusion.hidden)
        for name, h in sample.items():
            rows = slice(r * fusion.hidden, (r + 1) * fusion.hidden)
            factor = fusion.factors[name]
            tensor = np.hstack([_array(factor.weight)[rows], _array(factor.bias)[rows, None]])
            product = product * (tensor @ np.append(h, 1.0))
        fused += product
    return _linear(fusion.head, fused)


def film(fusion, sample):
    total = np.zeros(fusion.width)
    for name, h in sample.items():
        others = [_linear(fusion.modulations[k], z) for k, z in sample.items() if k != name]
        gamma, beta = np.split(np.mean(others, axis=0), 2) if others else (0.0, 0.0)
        total += np.maximum((1 + gamma) * h + beta, 0)
    return _linear(fusion.head, total / len(sample))


FUSIONS = {
    "bilinear": bilinear,
    "concat": concat,
    "cosine": cosine,
    "evidential": evidential,
    "film": film,
    "gated": gated,
    "late": late,
    "memory": memory,
    "mlp": mlp,
    "quality": quality,
    "refined": refined,
    "sum": added,
}


def table(name, fusion, encodings, present, coalitions):
    """Return logits (K, B, C), NaN where a sample has nothing of a coalition."""
    names = fusion.modalities
    B = len(encodings[names[0]])
    out = np.full((len(coalitions), B, fusion.classes), np.nan)
    for k, members in enumerate(coalitions.tolist()):
        for b in range(B):
            sample = {
                m: _array(encodings[m][b]) for m, inside in zip(names, members, strict=True) if inside and present[m][b]
            }
            if sample:
                out[k, b] = FUSIONS[name](fusion, sample)
    return out
