"""Layouts: the names and shapes in which others save weights, read into ours and given back.

recognize       names of tensors -> layout
read            a file of any layout -> configuration and tensors by our names
check           exact names and shapes; numbers of heads, which no shape shows
stored_heads    numbers of heads that a file names beside its tensors
official        the authors' pretraining weights
official_names  their names for our tensors, both ways
finetuned       the authors' fine-tuned classifiers
mae             an ImageNet MAE as the start of a model
huggingface     Hugging Face's names for an ImageNet MAE
original        what is kept of a file so that it can be given back bit for bit
"""
