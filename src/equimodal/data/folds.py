"""The folds of scikit-learn's `StratifiedGroupKFold`, found ten times as fast.

This module imports scikit-learn, which costs a second: import it only where a split is drawn.
"""

from __future__ import annotations

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold


class GroupFolds(StratifiedGroupKFold):
    """`StratifiedGroupKFold` that tries a group in all folds at once; its folds are the same to the row.

    Scikit-learn tries fold after fold, with several NumPy calls for each: two seconds for 2000 groups in 20 folds, and
    a comparison draws a split for each of its runs. Only that one step is replaced; all else is scikit-learn's.

    Example:
        >>> labels, groups = np.arange(40) % 2, np.arange(40) // 4
        >>> [len(test) for _, test in GroupFolds(5, shuffle=True, random_state=0).split(labels, labels, groups)]
        [8, 8, 8, 8, 8]
    """

    def _find_best_fold(
        self, y_counts_per_fold: np.ndarray, y_cnt: np.ndarray, group_y_counts: np.ndarray
    ) -> int | None:
        """Return the fold in which a group leaves class shares most even; of two alike, the one with fewer rows.

        Args:
            y_counts_per_fold: rows by fold and class so far (K, C).
            y_cnt: rows of each class (C,).
            group_y_counts: rows of each class in the group (C,).
        """
        folds = np.arange(len(y_counts_per_fold))
        tried = np.repeat(y_counts_per_fold[None], len(folds), axis=0)
        tried[folds, folds] += group_y_counts
        unevenness = (tried / y_cnt).std(axis=1).mean(axis=1).tolist()
        rows = y_counts_per_fold.sum(axis=1).tolist()
        best, lowest, fewest = None, np.inf, np.inf
        for fold in folds.tolist():
            alike = abs(unevenness[fold] - lowest) <= 1e-8 + 1e-5 * lowest  # as numpy.isclose has it
            if unevenness[fold] < lowest or (alike and rows[fold] < fewest):
                best, lowest, fewest = fold, unevenness[fold], rows[fold]
        return best
