"""What the templates of identity say."""
