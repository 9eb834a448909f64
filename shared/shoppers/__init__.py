"""What is done with a shopper as a whole: reading their taste, and forgetting them."""
