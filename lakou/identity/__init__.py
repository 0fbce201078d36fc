"""Who may do what: tokens, roles and scopes; later people, organisations and sign-on."""
