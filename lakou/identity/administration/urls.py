"""The addresses of the administration's own pages."""

from django.urls import path

from lakou.identity.administration import views

app_name = "administration"
urlpatterns = [
    path("jetons/", views.tokens, name="tokens"),
    path("jetons/<int:number>/", views.token, name="token"),
    path("jetons/<int:number>/secret/", views.rotate, name="rotate"),
    path("jetons/<int:number>/revoquer/", views.revoke, name="revoke"),
    path("jetons/<int:number>/portee/", views.scope, name="scope"),
    path("journal/", views.journal_page, name="journal"),
    path("journal/export/", views.journal_export, name="journal_export"),
]
