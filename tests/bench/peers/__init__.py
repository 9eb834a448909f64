"""The same networks in PyTorch, run by an interpreter of their own; nothing here is shipped."""
