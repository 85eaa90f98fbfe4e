"""``headgate account``: how a person's plan gets in, how it fares, and how it is taken out again."""
