"""How content a text sounds, learned from texts that came with a score; told how well it does on unseen ones.

Words and pairs of words, weighed by how rare they are (TF-IDF), and ridge regression on the shop's own scores: nothing
is brought from elsewhere, so that a bank's "interest" and a tea shop's "bitter" mean what its customers mean. Each
scored text is judged by a model that did not see any text of its customer. Not here: reading the table (texts.py),
words (words.py).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from campaignrl.arrays import Float, Objects
from campaignrl.profiles.feedback.words import by_dictionary, words_of
from campaignrl.tables import ID

FEWEST = 50  # scored texts, of at least as many customers as folds, below which no mood is learned
FOLDS = 5
STRENGTH = 1.0  # of the ridge
RAREST = 2  # texts that a word stands in at least
SAID = 3  # keywords of a customer
SHOWN = 12  # words that speak for and against


class Feedback(NamedTuple):
    """attributes: customer_id, mood (in the unit of the scores; NaN without a model), texts, keywords.

    error, error_of_mean: mean absolute error on unseen customers' texts, and that of always saying the mean; rank:
    the rank correlation with their scores; None where no mood was learned, for the reason in `why`. glad, sorry: the
    words that speak most for and against.
    """

    attributes: pd.DataFrame
    scored: int
    error: float | None
    error_of_mean: float | None
    rank: float | None
    glad: tuple[str, ...]
    sorry: tuple[str, ...]
    by_dictionary: bool
    why: str = ""

    @property
    def better(self) -> bool:
        """Whether the mood says more of unseen texts than the mean does."""
        return self.error is not None and self.error_of_mean is not None and self.error < self.error_of_mean


def read_mood(texts: pd.DataFrame) -> Feedback:
    """Attributes of the customers who wrote `texts` (customer_id, text, score, ts), and how well the mood is known.

    A customer's mood is the mean over its texts of the score that each sounds like.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer  # slow to import, and few verbs need it
    from sklearn.linear_model import Ridge

    vectoriser = TfidfVectorizer(
        tokenizer=words_of, token_pattern=None, lowercase=False, ngram_range=(1, 2), min_df=min(RAREST, len(texts))
    )
    try:
        x = vectoriser.fit_transform(texts["text"])
    except ValueError:  # no word stands in two texts
        x, names = csr_matrix((len(texts), 0)), np.zeros(0, dtype=object)
    else:
        names = vectoriser.get_feature_names_out()
    score = texts["score"].to_numpy(dtype=np.float64)
    given = np.flatnonzero(~np.isnan(score))
    attributes = _attributes(texts, x, names)
    told = by_dictionary()
    few = f"fewer than {FEWEST} texts with a score"
    writers = texts[ID].iloc[given].nunique()
    if len(given) < FEWEST or writers < FOLDS or not x.shape[1] or np.ptp(score[given]) == 0.0:
        why = few if len(given) < FEWEST else "scores, words or customers that do not differ"
        return Feedback(attributes.assign(mood=np.nan), len(given), None, None, None, (), (), told, why)
    with threadpool_limits(limits=1):
        unseen = _cross_fitted(x[given], score[given], texts[ID].iloc[given].to_numpy(dtype=object))
        model = Ridge(alpha=STRENGTH, solver="lsqr", tol=1e-8).fit(x[given], score[given])
        sounds = np.clip(model.predict(x), score[given].min(), score[given].max())
    mood = pd.Series(sounds).groupby(texts[ID].to_numpy()).mean()
    order = np.argsort(model.coef_, kind="stable")
    error = float(np.abs(unseen - score[given]).mean())
    rank = pd.Series(unseen).corr(pd.Series(score[given]), method="spearman") if np.ptp(unseen) > 0 else 0.0
    return Feedback(
        attributes.assign(mood=mood.reindex(attributes[ID]).to_numpy()),
        len(given),
        error,
        float(np.abs(score[given].mean() - score[given]).mean()),
        float(rank),
        tuple(names[order[::-1][:SHOWN]]),
        tuple(names[order[:SHOWN]]),
        told,
    )


def _cross_fitted(x: csr_matrix, score: Float, customers: Objects) -> Float:
    """(n,) what each text sounds like to a model that saw no text of its customer."""
    from sklearn.linear_model import Ridge  # slow to import, and few verbs need it
    from sklearn.model_selection import GroupKFold

    found = np.empty(len(score))
    for train, test in GroupKFold(FOLDS).split(x, groups=customers):
        model = Ridge(alpha=STRENGTH, solver="lsqr", tol=1e-8).fit(x[train], score[train])
        found[test] = model.predict(x[test])
    return found


def _attributes(texts: pd.DataFrame, x: csr_matrix, names: Objects) -> pd.DataFrame:
    """How many texts each customer wrote, and the words that stand out in them."""
    codes, ids = pd.factorize(texts[ID], sort=True)
    sums = csr_matrix((np.ones(len(codes)), (codes, np.arange(len(codes)))), shape=(len(ids), len(codes))) @ x
    keywords = []
    for row in range(len(ids)):
        inside = slice(sums.indptr[row], sums.indptr[row + 1])
        order = np.lexsort((names[sums.indices[inside]].astype(str), -np.round(sums.data[inside], 9)))
        single = [str(names[sums.indices[inside][j]]) for j in order if " " not in names[sums.indices[inside][j]]]
        keywords.append(", ".join(single[:SAID]) or None)
    return pd.DataFrame({ID: np.asarray(ids), "texts": np.bincount(codes), "keywords": keywords})
