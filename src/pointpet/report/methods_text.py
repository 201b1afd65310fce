"""The methods paragraph of a paper, from the run's own settings, with numbered references."""

from __future__ import annotations

import re
from collections.abc import Mapping

TOPICS = (
    ("data_source", "exclusion", "annotation", "reference_standard"),
    ("preprocessing", "acquisition", "model", "training", "selection", "ensembling"),
    ("partitions", "disjoint", "metrics", "statistics", "comparison"),
    ("features", "radiomics_grid", "discretisation", "predictor_handling", "reduction", "outcome_model", "tuning"),
    ("software",),
)
"""Topics of `study_facts`, a paragraph a group."""

REFERENCES = {
    "amyar": "Amyar A, Modzelewski R, Vera P, Morard V, Ruan S. Weakly supervised PET tumor detection using class "
    "response. 2020.",
    "boellaard": "Boellaard R, Delgado-Bolton R, Oyen WJG, et al. FDG PET/CT: EANM procedure guidelines for tumour "
    "imaging: version 2.0. Eur J Nucl Med Mol Imaging 2015;42:328-354.",
    "geurts": "Geurts P, Ernst D, Wehenkel L. Extremely randomized trees. Mach Learn 2006;63:3-42.",
    "zhou": "Zhou B, Khosla A, Lapedriza A, Oliva A, Torralba A. Learning deep features for discriminative "
    "localization. CVPR 2016:2921-2929.",
    "ronneberger": "Ronneberger O, Fischer P, Brox T. U-Net: convolutional networks for biomedical image segmentation. "
    "MICCAI 2015:234-241.",
    "platt": "Platt J. Probabilistic outputs for support vector machines and comparisons to regularized likelihood "
    "methods. Advances in Large Margin Classifiers 1999:61-74.",
    "geifman": "Geifman Y, El-Yaniv R. Selective classification for deep neural networks. NeurIPS 2017.",
    "holm": "Holm S. A simple sequentially rejective multiple test procedure. Scand J Stat 1979;6:65-70.",
    "nadeau": "Nadeau C, Bengio Y. Inference for the generalization error. Mach Learn 2003;52:239-281.",
    "johnson": "Johnson WE, Li C, Rabinovic A. Adjusting batch effects in microarray expression data using empirical "
    "Bayes methods. Biostatistics 2007;8:118-127.",
    "zwanenburg": "Zwanenburg A, Vallières M, Abdalah MA, et al. The Image Biomarker Standardization Initiative. "
    "Radiology 2020;295:328-338.",
}
"""By the key that facts cite, `[key]`."""

_CITED = re.compile(r" ?\[([a-z]+)\]")


def methods_paragraphs(facts: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Paragraphs with numbers for references, and the references cited, in the order of their numbers."""
    cited: list[str] = []

    def numbered(match: re.Match[str]) -> str:
        key = match.group(1)
        if key not in cited:
            cited.append(key)
        return f" [{cited.index(key) + 1}]"

    paragraphs = [" ".join(facts[topic] for topic in group if topic in facts) for group in TOPICS]
    texts = [_CITED.sub(numbered, text) for text in paragraphs if text]
    return texts, [REFERENCES[key] for key in cited]


def uncited(sentence: str) -> str:
    """A fact without its references, for tables."""
    return _CITED.sub("", sentence)
