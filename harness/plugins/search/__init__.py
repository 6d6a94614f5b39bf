"""What retrievers, rerankers and embedders share: indexes, filters, local models."""
